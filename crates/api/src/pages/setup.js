// Makes the first account and its first token. Nothing is stored: what is shown is all there is.

import { copy } from "/docs/copy.js";

const byId = (id) => document.getElementById(id);
const form = byId("form");

/** The `data` of the answer; an answer that refuses is thrown, with its message. */
async function post(path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(path, request).catch(() => {
    throw new Error("the server can't be reached");
  });
  const { message, data } = await response.json();
  if (!response.ok) throw new Error(message);
  return data;
}

let registered = false;

/** Makes the account and returns its token. Can be tried again after it has failed half-way. */
async function createAccount({ email, password, name }) {
  if (!registered) {
    await post("/api/v1/auth/register", name ? { email, password, name } : { email, password });
    registered = true;
  }
  const { token: signIn } = await post("/api/v1/auth/login", { email, password });
  try {
    const { token } = await post("/api/v1/auth/tokens", { name: "first token" }, signIn);
    return token;
  } finally {
    // What comes of this doesn't matter to the reader: a sign-in also ends by itself.
    await post("/api/v1/auth/logout", undefined, signIn).catch(() => {});
  }
}

function commandWith(token) {
  return `TOKEN='${token}'
curl -X POST "${location.origin}/api/v1/chat" \\
  -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '{"type":"text"}'`;
}

function showAccount(email, token) {
  byId("who").textContent = email;
  byId("token").textContent = token;
  byId("command").textContent = commandWith(token);
  byId("before").remove();
  byId("after").hidden = false;
  byId("made").focus();
}

/** The server's messages begin with the name of the field that is at fault, if one is. */
function showError(message) {
  byId("error").textContent = message;
  const field = form.elements.namedItem(message.split(" ")[0]);
  field?.setAttribute("aria-invalid", "true");
  field?.focus();
}

function clearError() {
  byId("error").textContent = "";
  for (const field of form.elements) field.removeAttribute("aria-invalid");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearError();
  byId("submit").disabled = true;
  const fields = Object.fromEntries(new FormData(form));
  try {
    const token = await createAccount(fields);
    showAccount(fields.email, token);
  } catch (error) {
    showError(error.message);
    byId("submit").disabled = false;
  }
});

byId("reveal").addEventListener("change", ({ target }) => {
  byId("password").type = target.checked ? "text" : "password";
});

for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () => copy(byId(button.dataset.copies), button));
}
