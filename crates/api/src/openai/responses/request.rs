use chat::types::{Cuid, ModelName, ModelOptions, ReplyOptions, SystemMessage, WhenBusy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::PREVIOUS;
use crate::fault::Fault;
use crate::openai::ids;
use crate::openai::items::input::{Drafts, NewItem, required};
use crate::openai::options::{Choice, Further, model, only_a_function};
use crate::openai::text_or::TextOr;
use crate::tools::{self, Function, Pairs, within};
use crate::{limits, schema};

/// What a model is asked. Fields that are not listed are ignored.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["input"]))]
pub(in crate::openai) struct NewResponse {
    /// Who is to answer; the conversation's model, or the server's first one, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = chat::limits::MODEL_NAME_CHARS), regex(pattern = schema::NOT_BLANK))]
    model: Option<String>,
    /// What the user says, or items, the newest last.
    #[schemars(with = "TextOr<NewItem>")]
    input: Option<TextOr<NewItem>>,
    /// What the model is told before the first message, for this response alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = chat::limits::SYSTEM_MESSAGE_CHARS), regex(pattern = schema::NO_NUL))]
    instructions: Option<String>,
    /// The conversation that it belongs to; a new one if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<InConversation>,
    /// The response that it follows: in that one's conversation, on a branch of its own if something else
    /// follows that one already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^resp_c[0-9a-z]{7,31}$"))]
    previous_response_id: Option<String>,
    /// Whether it is kept; true if left out. Without a conversation nothing is kept then; within one the
    /// messages are, but the response is not to be had by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    /// Whether the answer is the event stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream: Option<bool>,
    /// Whether the answer comes at once, before the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) background: Option<bool>,
    /// What happens if the conversation has a response that has not ended; `queue` if left out. Not in
    /// OpenAI's API, which does as `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["queue", "reject", "interrupt", null]))]
    when_busy: Option<String>,
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
    max_output_tokens: Option<u32>,
    /// Functions of the client's that the model may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = chat::limits::TOOLS))]
    tools: Option<Vec<NewTool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    /// Which form the answer is to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<NewText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<NewReasoning>,
    /// Templates are not supported.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    prompt: Option<Value>,
}

/// The conversation, by its name.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "it is neither a name nor an object with an id")]
enum InConversation {
    Name(String),
    Object { id: String },
}

/// A function that the model may call.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NewTool {
    #[schemars(extend("const" = "function"))]
    r#type: String,
    #[serde(default)]
    #[schemars(with = "String", required, regex(pattern = schema::TOOL_NAME))]
    name: Option<String>,
    /// What it is for, in words for a model.
    #[schemars(length(max = chat::limits::MESSAGE_CHARS), regex(pattern = schema::NO_NUL))]
    description: Option<String>,
    /// The JSON Schema of its arguments.
    parameters: Option<Map<String, Value>>,
    strict: Option<bool>,
}

/// Which form the answer is to have.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NewText {
    format: Option<NewFormat>,
    verbosity: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum NewFormat {
    Text,
    JsonObject,
    JsonSchema {
        name: String,
        description: Option<String>,
        schema: Map<String, Value>,
        strict: Option<bool>,
    },
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct NewReasoning {
    /// How long the model is to think.
    effort: Option<String>,
}

/// Where a response belongs.
pub(super) enum Place {
    /// In a conversation of its own.
    New,
    /// At the end of that one.
    Conversation(Cuid),
    /// Behind that response.
    After(Cuid),
}

/// What somebody wants.
pub(super) struct Wanted {
    pub(super) place: Place,
    pub(super) input: Drafts,
    pub(super) model: Option<ModelName>,
    pub(super) options: ReplyOptions,
    pub(super) when_busy: WhenBusy,
    pub(super) store: bool,
    pub(super) stream: bool,
    pub(super) background: bool,
}

impl NewResponse {
    pub(super) fn parse(self) -> Result<Wanted, Fault> {
        if self.prompt.is_some() {
            return Err(Fault::invalid(
                "prompt",
                "is not supported: say it in instructions and input",
            ));
        }
        let (place, input) = (self.place()?, self.input()?);
        let store = self.store.unwrap_or(true);
        let background = self.background.unwrap_or_default();
        if background && !store {
            return Err(Fault::invalid("background", "needs store"));
        }
        let when_busy = self.when_busy.as_deref().map(WhenBusy::parse).transpose();
        Ok(Wanted {
            place,
            input,
            model: model(self.model.as_deref())?,
            when_busy: when_busy
                .map_err(|error| Fault::invalid("when_busy", error))?
                .unwrap_or_default(),
            store,
            stream: self.stream.unwrap_or_default(),
            background,
            options: self.options()?,
        })
    }

    fn place(&self) -> Result<Place, Fault> {
        let previous = self.previous_response_id.as_deref();
        match (&self.conversation, previous) {
            (Some(_), Some(_)) => Err(Fault::invalid(
                "conversation",
                "can't stand beside previous_response_id",
            )),
            (Some(InConversation::Name(id) | InConversation::Object { id }), None) => {
                let id = ids::read_conversation(id);
                id.map(Place::Conversation)
                    .ok_or(Fault::Chat(chat::Error::NotFound))
            }
            (None, Some(id)) => ids::read_response(id)
                .map(Place::After)
                .ok_or_else(no_previous),
            (None, None) => Ok(Place::New),
        }
    }

    fn input(&self) -> Result<Drafts, Fault> {
        match required(self.input.as_ref(), "input")? {
            TextOr::Text(text) => Drafts::prompt(text, "input"),
            TextOr::List(items) => Drafts::read(items, "input", limits::INPUT_ITEMS)?.some("input"),
        }
    }

    fn options(self) -> Result<ReplyOptions, Fault> {
        let instructions = self
            .instructions
            .as_deref()
            .map(SystemMessage::parse)
            .transpose();
        let metadata = self
            .metadata
            .map(|pairs| pairs.parse("metadata"))
            .transpose()?;
        let tools = functions(self.tools.unwrap_or_default())?;
        let tools = tools::tools(tools.iter(), "tools", "")?;
        let choice = self
            .tool_choice
            .map(|choice| choice.parse(&tools))
            .transpose()?;
        let (format, verbosity) = self
            .text
            .map_or((None, None), |text| (text.format, text.verbosity));
        let further = Further {
            response_format: format.and_then(NewFormat::handed_on),
            reasoning_effort: self.reasoning.and_then(|reasoning| reasoning.effort),
            verbosity,
            ..Further::default()
        };
        Ok(ReplyOptions {
            instructions: instructions.map_err(|error| Fault::invalid("instructions", error))?,
            metadata: metadata.unwrap_or_default(),
            model: tools::bounded(
                ModelOptions {
                    temperature: within(self.temperature, 0.0..=2.0, "temperature")?,
                    top_p: within(self.top_p, 0.0..=1.0, "top_p")?,
                    max_output_tokens: within(
                        self.max_output_tokens,
                        1..=u32::MAX,
                        "max_output_tokens",
                    )?,
                    tools,
                    tool_choice: choice,
                    parallel_tool_calls: self.parallel_tool_calls,
                    further: further.write()?,
                },
                named,
            )?,
        })
    }

    pub(in crate::openai) fn example() -> Self {
        Self {
            input: Some(TextOr::Text("What is a monad?".into())),
            ..Self::default()
        }
    }
}

/// What a further field is called here.
fn named(further: &str) -> &str {
    match further {
        "response_format" => "text.format",
        "verbosity" => "text.verbosity",
        "reasoning_effort" => "reasoning.effort",
        other => other,
    }
}

/// That there is no response to go on from.
pub(super) fn no_previous() -> Fault {
    Fault::invalid(PREVIOUS, "is no response that is kept")
}

fn functions(tools: Vec<NewTool>) -> Result<Vec<Function>, Fault> {
    let tools = tools.into_iter().enumerate();
    tools
        .map(|(at, tool)| {
            let place = format!("tools[{at}]");
            only_a_function(&tool.r#type, &place)?;
            Ok(Function {
                name: required(tool.name, &format!("{place}.name"))?,
                description: tool.description,
                parameters: tool.parameters,
                strict: tool.strict,
            })
        })
        .collect()
}

impl NewFormat {
    /// The format as a chat completion has it; the default one need not be said.
    fn handed_on(self) -> Option<Value> {
        match self {
            Self::Text => None,
            Self::JsonObject => Some(json!({ "type": "json_object" })),
            Self::JsonSchema {
                name,
                description,
                schema,
                strict,
            } => {
                let mut inner = json!({ "name": name, "schema": schema });
                if let Some(description) = description {
                    inner["description"] = json!(description);
                }
                if let Some(strict) = strict {
                    inner["strict"] = json!(strict);
                }
                Some(json!({ "type": "json_schema", "json_schema": inner }))
            }
        }
    }
}

/// A format as [`NewFormat`] has it.
pub(super) fn shown_format(handed_on: Option<Value>) -> Value {
    let Some(mut format) = handed_on else {
        return json!({ "type": "text" });
    };
    if let Some(Value::Object(inner)) = format.get_mut("json_schema").map(Value::take) {
        let mut shown = json!({ "type": "json_schema", "description": null, "strict": null });
        if let Value::Object(shown) = &mut shown {
            shown.extend(inner);
        }
        return shown;
    }
    format
}
