use chat::limits as most;
use chat::types::{MessageRole, ModelName, ModelOptions, ReplyOptions, ToolCall, ToolOutput};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::openai::items::input::{Drafts, NewContent, required};
use crate::openai::options::{Choice, Further, model, only_a_function};
use crate::openai::text_or::TextOr;
use crate::tools::{self, Function, Pairs, call_id, within, written};
use crate::{limits, schema};

/// What a model is asked. Fields that are not listed are ignored.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["messages"]))]
pub(in crate::openai) struct NewCompletion {
    /// Who is to answer; the server's first model if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = most::MODEL_NAME_CHARS), regex(pattern = schema::NOT_BLANK))]
    model: Option<String>,
    /// The whole conversation, the newest message last.
    #[schemars(with = "Vec<NewMessage>", length(min = 1, max = limits::INPUT_ITEMS))]
    messages: Option<Vec<NewMessage>>,
    /// Whether the answer comes as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    /// Whether the messages and the answer are kept, as a conversation of their own; false if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Pairs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2))]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = u32::MAX))]
    max_completion_tokens: Option<u32>,
    /// What `max_completion_tokens` was called before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = u32::MAX))]
    max_tokens: Option<u32>,
    /// Functions of the client's that the model may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = most::TOOLS))]
    tools: Option<Vec<NewTool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    /// Which form the answer is to have, and further fields: for providers that know them.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<TextOr<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -2, max = 2))]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -2, max = 2))]
    frequency_penalty: Option<f64>,
    /// There is one answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [1, null]))]
    n: Option<u32>,
    #[serde(skip_serializing)]
    #[schemars(skip)]
    logprobs: Option<bool>,
    #[serde(skip_serializing)]
    #[schemars(skip)]
    functions: Option<Value>,
    #[serde(skip_serializing)]
    #[schemars(skip)]
    audio: Option<Value>,
    #[serde(skip_serializing)]
    #[schemars(skip)]
    web_search_options: Option<Value>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct StreamOptions {
    /// Whether a last chunk tells what the answer cost.
    include_usage: Option<bool>,
}

/// A function that the model may call.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NewTool {
    #[schemars(extend("const" = "function"))]
    r#type: String,
    #[serde(default)]
    #[schemars(with = "Function", required)]
    function: Option<Function>,
}

/// A message; `tool` brings what came of a call.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [
    { "properties": { "role": { "enum": ["system", "developer", "user"] } }, "required": ["content"] },
    { "properties": { "role": { "const": "tool" } }, "required": ["content", "tool_call_id"] },
    { "properties": { "role": { "const": "assistant" } } },
]))]
struct NewMessage {
    #[schemars(extend("enum" = ["system", "developer", "user", "assistant", "tool"]))]
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<TextOr<NewContent>>,
    /// What a model called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<NewCall>>,
    /// What the call is known by that a tool has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct NewCall {
    id: String,
    function: Called,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Called {
    name: String,
    arguments: String,
}

/// What somebody wants.
pub(super) struct Wanted {
    pub(super) messages: Drafts,
    pub(super) model: Option<ModelName>,
    pub(super) options: ReplyOptions,
    pub(super) store: bool,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

impl NewCompletion {
    pub(super) fn parse(self) -> Result<Wanted, Fault> {
        self.refuse_what_is_not_supported()?;
        let usage = self
            .stream_options
            .as_ref()
            .and_then(|options| options.include_usage);
        Ok(Wanted {
            messages: self.messages()?.some("messages")?.on_their_own()?,
            model: model(self.model.as_deref())?,
            store: self.store.unwrap_or_default(),
            stream: self.stream.unwrap_or_default(),
            include_usage: usage.unwrap_or_default(),
            options: self.options()?,
        })
    }

    /// What would change the meaning of the answer must not be ignored.
    fn refuse_what_is_not_supported(&self) -> Result<(), Fault> {
        if self.n.is_some_and(|n| n != 1) {
            return Err(Fault::invalid("n", "must be 1"));
        }
        let fields = [
            ("logprobs", self.logprobs == Some(true)),
            ("functions", self.functions.is_some()),
            ("audio", self.audio.is_some()),
            ("web_search_options", self.web_search_options.is_some()),
        ];
        match fields.iter().find(|(_, is_there)| *is_there) {
            Some((field, _)) => Err(Fault::invalid(*field, "is not supported")),
            None => Ok(()),
        }
    }

    fn messages(&self) -> Result<Drafts, Fault> {
        let messages = required(self.messages.as_ref(), "messages")?;
        if messages.len() > limits::INPUT_ITEMS {
            let reason = format!("has more than {} items", limits::INPUT_ITEMS);
            return Err(Fault::invalid("messages", reason));
        }
        let mut drafts = Drafts::default();
        for (at, message) in messages.iter().enumerate() {
            message.take(&mut drafts, &format!("messages[{at}]"))?;
        }
        Ok(drafts)
    }

    fn options(self) -> Result<ReplyOptions, Fault> {
        let metadata = self
            .metadata
            .map(|pairs| pairs.parse("metadata"))
            .transpose()?;
        let tools = functions(self.tools.unwrap_or_default())?;
        let tools = tools::tools(tools.iter(), "tools", ".function")?;
        let choice = self
            .tool_choice
            .map(|choice| choice.parse(&tools))
            .transpose()?;
        let further = Further {
            response_format: self.response_format.map(Value::Object),
            reasoning_effort: self.reasoning_effort,
            verbosity: self.verbosity,
            stop: self.stop,
            seed: self.seed,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
        };
        let tokens = within(
            self.max_completion_tokens,
            1..=u32::MAX,
            "max_completion_tokens",
        )?;
        Ok(ReplyOptions {
            instructions: None,
            metadata: metadata.unwrap_or_default(),
            model: tools::bounded(
                ModelOptions {
                    temperature: within(self.temperature, 0.0..=2.0, "temperature")?,
                    top_p: within(self.top_p, 0.0..=1.0, "top_p")?,
                    max_output_tokens: tokens.or(within(
                        self.max_tokens,
                        1..=u32::MAX,
                        "max_tokens",
                    )?),
                    tools,
                    tool_choice: choice,
                    parallel_tool_calls: self.parallel_tool_calls,
                    further: further.write()?,
                },
                |field| field,
            )?,
        })
    }

    pub(in crate::openai) fn example() -> Self {
        Self {
            messages: Some(vec![NewMessage {
                role: "user".into(),
                content: Some(TextOr::Text("What is a monad?".into())),
                tool_calls: None,
                tool_call_id: None,
            }]),
            ..Self::default()
        }
    }
}

fn functions(tools: Vec<NewTool>) -> Result<Vec<Function>, Fault> {
    let tools = tools.into_iter().enumerate();
    tools
        .map(|(at, tool)| {
            let place = format!("tools[{at}]");
            only_a_function(&tool.r#type, &place)?;
            required(tool.function, &format!("{place}.function"))
        })
        .collect()
}

impl NewMessage {
    /// Makes of it what it is in a session.
    fn take(&self, drafts: &mut Drafts, place: &str) -> Result<(), Fault> {
        let content = format!("{place}.content");
        let texts = self
            .content
            .as_ref()
            .map(|texts| texts.texts(&content))
            .transpose()?;
        match self.role.as_str() {
            "system" | "developer" => {
                drafts.say(MessageRole::System, required(texts, &content)?, &content)
            }
            "user" => drafts.say(MessageRole::User, required(texts, &content)?, &content),
            "assistant" => {
                drafts.say(MessageRole::Assistant, texts.unwrap_or_default(), &content)?;
                for (at, call) in self.tool_calls.iter().flatten().enumerate() {
                    let place = format!("{place}.tool_calls[{at}]");
                    drafts.call(call.parse(&place)?, &place);
                }
                Ok(())
            }
            "tool" => {
                let field = format!("{place}.tool_call_id");
                let output = ToolOutput {
                    call: call_id(required(self.tool_call_id.as_deref(), &field)?, &field)?,
                    output: required(texts, &content)?.concat(),
                };
                drafts.output(output, &field);
                Ok(())
            }
            _ => Err(Fault::invalid(
                format!("{place}.role"),
                "must be one of: system, developer, user, assistant, tool",
            )),
        }
    }
}

impl NewCall {
    fn parse(&self, place: &str) -> Result<ToolCall, Fault> {
        let Called { name, arguments } = &self.function;
        Ok(ToolCall {
            id: call_id(&self.id, &format!("{place}.id"))?,
            name: call_id(name, &format!("{place}.function.name"))?,
            arguments: written(arguments, &format!("{place}.function.arguments"))?,
        })
    }
}
