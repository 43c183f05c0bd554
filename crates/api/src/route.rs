//! A route with what its callers need to know: the line of a dialect's route table.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use chat::Chat;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::Value;

use crate::fault::Fault;

/// One method of one path.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<Arc<Chat>>,
    pub(crate) summary: &'static str,
    pub(crate) open: bool,
    pub(crate) deprecated: bool,
    /// The schemas of the path's `{id}` and what else stands in braces.
    pub(crate) ids: Vec<(&'static str, MakeSchema)>,
    pub(crate) query: Option<MakeSchema>,
    pub(crate) body: Option<Shape>,
    pub(crate) once: bool,
    pub(crate) if_match: bool,
    pub(crate) entity_tag: bool,
    pub(crate) location: bool,
    /// What a request gets that is not refused.
    pub(crate) success: Vec<(StatusCode, Success)>,
    /// Errors that no other fact about the route implies.
    pub(crate) errors: Vec<StatusCode>,
    /// Refusals that are this route's own.
    pub(crate) refusals: Vec<Fault>,
}

/// The body of an answer.
pub(crate) enum Success {
    /// JSON.
    Json(Shape),
    /// An event stream that begins like this.
    Events(&'static str),
    /// None.
    Nothing,
}

/// Makes a schema: at the wish of whoever reads the document, and not with each start.
pub(crate) type MakeSchema = fn() -> Value;

/// JSON that goes in or out.
pub(crate) struct Shape {
    pub(crate) schema: MakeSchema,
    pub(crate) example: Value,
}

impl Shape {
    fn new(schema: MakeSchema, example: &impl Serialize) -> Self {
        Self {
            schema,
            example: serde_json::to_value(example).unwrap_or_default(),
        }
    }
}

/// The schema of what is read.
fn read<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12())
}

/// The schema of what is written: what may be left out differs.
fn written<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let settings = settings
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .with_transform(RecursiveTransform(without_null_default));
    settings.into_generator().into_root_schema_for::<T>().into()
}

/// A field that may be left out has `None` as its default, but null is not taken.
fn without_null_default(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {$(
        /// A route of that method. The summary is an imperative without a full stop.
        pub(crate) fn $name<H, T>(path: &'static str, summary: &'static str, handler: H) -> Route
        where
            H: Handler<T, Arc<Chat>>,
            T: 'static,
        {
            Route::new(Method::$method, path, summary, on(MethodFilter::$method, handler))
        }
    )*};
}

methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

impl Route {
    fn new(
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: MethodRouter<Arc<Chat>>,
    ) -> Self {
        Self {
            method,
            path,
            handler,
            summary,
            open: false,
            deprecated: false,
            ids: Vec::new(),
            query: None,
            body: None,
            once: false,
            if_match: false,
            entity_tag: false,
            location: false,
            success: Vec::new(),
            errors: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Needs no token.
    pub(crate) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Kept for clients that know no better.
    pub(crate) fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    /// The path's `{id}` is a `T`.
    pub(crate) fn id<T: JsonSchema>(mut self) -> Self {
        self.ids.push(("id", read::<T>));
        self
    }

    /// The path's `{rid}` is a `T`.
    pub(crate) fn rid<T: JsonSchema>(mut self) -> Self {
        self.ids.push(("rid", read::<T>));
        self
    }

    /// Takes the fields of `T` as parameters.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(read::<T>);
        self
    }

    /// Takes a JSON body like this one.
    pub(crate) fn body<T: Serialize + JsonSchema>(mut self, example: &T) -> Self {
        self.body = Some(Shape::new(read::<T>, example));
        self
    }

    /// Takes `Idempotency-Key`.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Takes `If-Match`.
    pub(crate) fn if_match(mut self) -> Self {
        self.if_match = true;
        self
    }

    /// Answers with an `ETag`.
    pub(crate) fn entity_tag(mut self) -> Self {
        self.entity_tag = true;
        self
    }

    /// Answers with this status and a body like this one.
    pub(crate) fn answers<T>(mut self, status: StatusCode, example: &T) -> Self
    where
        T: Serialize + JsonSchema,
    {
        self.location |= status == StatusCode::CREATED && self.entity_tag;
        let shape = Shape::new(written::<T>, example);
        self.success.push((status, Success::Json(shape)));
        self
    }

    /// Answers, perhaps only if that is asked for, with an event stream that begins like this.
    pub(crate) fn streams(mut self, example: &'static str) -> Self {
        self.success
            .push((StatusCode::OK, Success::Events(example)));
        self
    }

    /// Answers, perhaps only at times, with nothing but the status.
    pub(crate) fn answers_nothing(mut self) -> Self {
        self.success
            .push((StatusCode::NO_CONTENT, Success::Nothing));
        self
    }

    /// Answers with a `Location`.
    pub(crate) fn location(mut self) -> Self {
        self.location = true;
        self
    }

    /// May also refuse in these ways.
    pub(crate) fn refuses(mut self, refusals: impl IntoIterator<Item = Fault>) -> Self {
        self.refusals.extend(refusals);
        self
    }

    /// May also answer with these errors.
    pub(crate) fn errors(mut self, errors: impl IntoIterator<Item = StatusCode>) -> Self {
        self.errors.extend(errors);
        self
    }
}
