// Shows /openapi.json. Its text only ever becomes text nodes and attributes, never markup.

import { copy } from "/docs/copy.js";

const byId = (id) => document.getElementById(id);

/** An element. Children may be lists of children; those that are null or undefined are left out. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat(Infinity).filter((child) => child != null));
  return made;
}

/** Text in which `backticks` mark code. */
function prose(text = "") {
  return text.split("`").map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part));
}

// What the document says.

function operationsOf(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      ...operation,
      path,
      method: method.toUpperCase(),
      scheme: schemeOf(operation, api),
    })),
  );
}

/** The security scheme that an operation wants, if any. */
function schemeOf({ security = [] }, api) {
  const [name] = Object.keys(security[0] ?? {});
  return api.components.securitySchemes[name];
}

/** What is sent: of a body, or of an answer that has no other media type. */
function contentOf({ content }) {
  return Object.values(content)[0];
}

/** All fields of a value, in each form that it may have; those further in by their path: `data.chats[].id`. */
function* fieldsOf({ properties = {}, required = [], items, oneOf = [], anyOf = [] } = {}, path = "") {
  if (items) yield* fieldsOf(items, `${path}[]`);
  for (const form of [...oneOf, ...anyOf]) yield* fieldsOf(form, path);
  for (const [field, schema] of Object.entries(properties)) {
    const name = path ? `${path}.${field}` : field;
    yield { name, schema, required: required.includes(field) };
    yield* fieldsOf(schema, name);
  }
}

function typeOf(schema) {
  const forms = schema.oneOf ?? schema.anyOf;
  if (schema.const) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (forms && !schema.type) return [...new Set(forms.map(typeOf))].join(" or ");
  if (schema.items) return `array of ${typeOf(schema.items)}`;
  const type = [schema.type].flat().join(" or ");
  return schema.format ? `${type} (${schema.format})` : type;
}

function range(low, high, unit = "") {
  if (low == null && high == null) return null;
  if (low == null) return `at most ${high}${unit}`;
  if (high == null) return `at least ${low}${unit}`;
  return `${low} to ${high}${unit}`;
}

/** A command for a POSIX shell. What is in the path comes from variables, as the token does. */
function curlOf({ method, path, scheme, requestBody }) {
  const url =
    location.origin + path.replaceAll(/\{(\w+)\}/g, (_, name) => `$${name.toUpperCase()}`);
  const lines = [method === "GET" ? `curl "${url}"` : `curl -X ${method} "${url}"`];
  if (scheme) {
    const header = scheme.type === "http" ? "Authorization: Bearer" : `${scheme.name}:`;
    lines.push(`-H "${header} $TOKEN"`);
  }
  if (requestBody) {
    const body = JSON.stringify(contentOf(requestBody).example);
    lines.push("-H 'Content-Type: application/json'", `-d '${body.replaceAll("'", "'\\''")}'`);
  }
  return lines.join(" \\\n  ");
}

// What is shown of it.

function field({ name, in: where, required, schema, description = schema.description }) {
  const facts = [
    typeOf(schema),
    where && `in the ${where}`,
    required && "required",
    range(schema.minLength, schema.maxLength, " characters"),
    range(schema.minimum, schema.maximum),
    schema.default != null && `${schema.default} if left out`,
  ];
  const pattern = schema.pattern && [", matches ", element("code", {}, schema.pattern)];
  return element(
    "div",
    {},
    element("dt", {}, element("code", {}, name)),
    element("dd", { class: "facts" }, facts.filter(Boolean).join(", "), pattern),
    description && element("dd", {}, prose(description)),
  );
}

function fieldList(fields) {
  return element("dl", { class: "fields" }, fields.map(field));
}

function code(text) {
  return element("pre", {}, element("code", {}, text));
}

function example({ example: value }) {
  return code(typeof value === "string" ? value : JSON.stringify(value, null, 2));
}

function parameters({ parameters: all = [] }) {
  return all.length > 0 ? [element("h4", {}, "Parameters"), fieldList(all)] : null;
}

function requestBody({ requestBody: body }) {
  if (!body) return null;
  const content = contentOf(body);
  return [
    element("h4", {}, "Request body"),
    fieldList([...fieldsOf(content.schema)]),
    example(content),
  ];
}

function success(status, answer) {
  const headers = Object.keys(answer.headers).join(", ");
  return Object.entries(answer.content).map(([kind, content]) => {
    // What is required matters to those who write; here it would be said of nearly every field.
    const fields = [...fieldsOf(content.schema)].map((each) => ({ ...each, required: false }));
    return [
      element("h5", {}, element("b", {}, status), ` ${answer.description}, ${kind}`),
      example(content),
      element("p", { class: "facts" }, `Headers: ${headers}`),
      fields.length > 0
        ? element("details", {}, element("summary", {}, "Fields"), fieldList(fields))
        : null,
    ];
  });
}

function failure(status, answer) {
  const title = element("summary", {}, element("b", {}, status), ` ${answer.description}`);
  return element("details", {}, title, example(contentOf(answer)));
}

function responses({ responses: all }) {
  const isGood = ([status]) => status.startsWith("2");
  const good = Object.entries(all).filter(isGood);
  const bad = Object.entries(all).filter((entry) => !isGood(entry));
  return [
    element("h4", {}, "Responses"),
    good.map((entry) => success(...entry)),
    bad.length > 0 ? element("h5", {}, "Errors") : null,
    bad.map((entry) => failure(...entry)),
  ];
}

function command(operation) {
  const text = code(curlOf(operation));
  const about = `${operation.operationId}-summary`;
  const button = element("button", { type: "button", "aria-describedby": about }, "Copy");
  button.addEventListener("click", () => copy(text, button));
  return [element("div", { class: "title" }, element("h4", {}, "curl"), button), text];
}

function route({ method, path }) {
  const verb = element("span", { class: `method ${method.toLowerCase()}` }, method);
  return [verb, " ", element("code", {}, path)];
}

function article(operation) {
  const { operationId: id, summary, deprecated, scheme } = operation;
  const mark = (text) => element("span", { class: "mark" }, text);
  return element(
    "article",
    { id, "aria-labelledby": `${id}-summary` },
    element("h3", { id: `${id}-summary` }, element("a", { href: `#${id}` }, summary)),
    element(
      "p",
      { class: "route" },
      route(operation),
      deprecated ? mark("deprecated") : null,
      scheme ? null : mark("no token needed"),
    ),
    element("div", {}, parameters(operation), requestBody(operation)),
    element("div", {}, command(operation), responses(operation)),
  );
}

function section([tag, operations]) {
  return element("section", {}, element("h2", { id: tag }, tag), operations.map(article));
}

function link(operation) {
  const { operationId, summary, deprecated } = operation;
  const anchor = element("a", { href: `#${operationId}`, title: summary }, route(operation));
  return element("li", deprecated ? { class: "deprecated" } : {}, anchor);
}

function links([tag, operations]) {
  const heading = element("a", { href: `#${tag}` }, tag);
  return element("div", {}, heading, element("ul", { "aria-label": tag }, operations.map(link)));
}

function schemes(operations) {
  const seen = new Map(operations.filter(({ scheme }) => scheme).map((o) => [o.tags[0], o.scheme]));
  return [...seen].map(([tag, scheme]) => element("li", {}, `${tag}: `, prose(scheme.description)));
}

function filter(items, text) {
  const words = text.toLowerCase().split(" ");
  for (const item of items) {
    const about = `${item.textContent} ${item.firstChild.title}`.toLowerCase();
    item.hidden = !words.every((word) => about.includes(word));
  }
  const count = items.filter((item) => !item.hidden).length;
  byId("matches").textContent = text ? `${count} of ${items.length}` : "";
}

/** Marks, in the navigation, the operation that a line near the top of the window runs through. */
function follow(items) {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const item = items.find((each) => each.firstChild.hash === `#${target.id}`);
        if (isIntersecting) item.firstChild.setAttribute("aria-current", "true");
        else item.firstChild.removeAttribute("aria-current");
      }
    },
    { rootMargin: "-15% 0px -85% 0px" },
  );
  for (const each of document.querySelectorAll("article")) observer.observe(each);
}

function show(api) {
  const operations = operationsOf(api);
  const groups = [...Map.groupBy(operations, ({ tags }) => tags[0])];
  document.title = `${api.info.title} API`;
  byId("title").replaceChildren(`${api.info.title} API `, element("small", {}, api.info.version));
  byId("description").textContent = api.info.description;
  byId("schemes").append(...schemes(operations));
  byId("navigation").append(...groups.map(links));
  byId("operations").replaceChildren(...groups.map(section));

  const items = [...byId("navigation").querySelectorAll("li")];
  byId("filter").addEventListener("input", ({ target }) => filter(items, target.value));
  follow(items);
  // When the browser looked for what the address points at, it wasn't there yet.
  if (location.hash) location.replace(location.hash);
}

try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  show(await response.json());
} catch (error) {
  byId("state").setAttribute("role", "alert");
  byId("state").textContent = `The API can't be shown: ${error.message}.`;
}
