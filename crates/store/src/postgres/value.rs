use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use chat::types::{Cuid, ModelName, Timestamp};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A statement with its values.
pub(super) struct Query<'a> {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value<'a>>,
}

/// Makes a [`Query`] of its text and whatever a [`Value`] can be made of.
macro_rules! query {
    ($sql:expr $(, $value:expr)* $(,)?) => {
        $crate::postgres::value::Query {
            sql: $sql,
            values: vec![$($crate::postgres::value::Value::from($value)),*],
        }
    };
}
pub(super) use query;

impl Query<'_> {
    /// The types of the values. They are always said: what PostgreSQL would make of `$1` by itself
    /// depends on where it stands.
    pub(super) fn types(&self) -> Vec<Type> {
        self.values.iter().map(Value::sql_type).collect()
    }
}

/// A value that goes into a statement.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Text(Option<Cow<'a, str>>),
    Int(Option<i64>),
    Flag(bool),
    Bytes(&'a [u8]),
    Texts(Vec<Cow<'a, str>>),
    MaybeTexts(Vec<Option<Cow<'a, str>>>),
    Ints(Vec<i64>),
    MaybeInts(Vec<Option<i64>>),
}

impl Value<'_> {
    pub(super) fn sql_type(&self) -> Type {
        match self {
            Self::Text(_) => Type::TEXT,
            Self::Int(_) => Type::INT8,
            Self::Flag(_) => Type::BOOL,
            Self::Bytes(_) => Type::BYTEA,
            Self::Texts(_) | Self::MaybeTexts(_) => Type::TEXT_ARRAY,
            Self::Ints(_) | Self::MaybeInts(_) => Type::INT8_ARRAY,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(ty, out),
            Self::Int(number) => number.to_sql(ty, out),
            Self::Flag(flag) => flag.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
            Self::Texts(texts) => texts.to_sql(ty, out),
            Self::MaybeTexts(texts) => texts.to_sql(ty, out),
            Self::Ints(numbers) => numbers.to_sql(ty, out),
            Self::MaybeInts(numbers) => numbers.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Which type it is, each value says itself.
        true
    }

    to_sql_checked!();
}

/// Says what a [`Value`] can be made of.
macro_rules! values {
    ($($from:ty, $value:pat => $into:expr;)*) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )*};
}

values! {
    &'a str, text => Self::Text(Some(text.into()));
    String, text => Self::Text(Some(text.into()));
    Cow<'a, str>, text => Self::Text(Some(text));
    &'a Cuid, id => id.as_str().into();
    Option<&'a str>, text => Self::Text(text.map(Cow::from));
    Option<&'a Cuid>, id => id.map(Cuid::as_str).into();
    Option<&'a ModelName>, name => name.map(ModelName::as_str).into();
    i64, number => Self::Int(Some(number));
    u32, number => i64::from(number).into();
    Timestamp, time => time.0.into();
    Option<i64>, number => Self::Int(number);
    Option<u32>, number => number.map(i64::from).into();
    Option<Timestamp>, time => time.map(|time| time.0).into();
    bool, flag => Self::Flag(flag);
    &'a [u8; 32], bytes => Self::Bytes(bytes);
    Vec<&'a str>, texts => Self::Texts(texts.into_iter().map(Cow::from).collect());
    Vec<Cow<'a, str>>, texts => Self::Texts(texts);
    Vec<String>, texts => Self::Texts(texts.into_iter().map(Cow::from).collect());
    Option<String>, text => Self::Text(text.map(Cow::from));
    Vec<Option<&'a str>>, texts => Self::MaybeTexts(
        texts.into_iter().map(|text| text.map(Cow::from)).collect(),
    );
    Vec<i64>, numbers => Self::Ints(numbers);
    Vec<Option<i64>>, numbers => Self::MaybeInts(numbers);
}
