//! Items as they are listed: a walk from the newest message of a path up to its first one.

use std::collections::VecDeque;
use std::vec;

use chat::types::{Caller, Cuid, Message, MessageView, PageSize, SessionKey};
use chat::{Chat, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shown::{Item, Placed, items};
use crate::fault::Fault;
use crate::openai::ids::{ITEM, ItemId};

/// Messages of one path, the newest first, read page by page.
pub(in crate::openai) struct Walk<'a> {
    pub(in crate::openai) chat: &'a Chat,
    pub(in crate::openai) caller: &'a Caller,
    pub(in crate::openai) session: &'a SessionKey,
    /// The place of the message to begin with; the end of the active path if left out.
    pub(in crate::openai) from: Option<i64>,
    /// How many messages are read at once.
    pub(in crate::openai) size: PageSize,
    /// Whether it ends before the first message that a model of this server wrote.
    pub(in crate::openai) within_turn: bool,
}

/// How far a walk has come.
struct Steps<'a> {
    walk: Walk<'a>,
    page: vec::IntoIter<Message>,
    is_last: bool,
}

impl<'a> Walk<'a> {
    fn begin(self) -> Steps<'a> {
        Steps {
            walk: self,
            page: Vec::new().into_iter(),
            is_last: false,
        }
    }

    /// The reply of the first message, from there on up, that is another one than this.
    pub(in crate::openai) async fn reply_besides(self, this: &Cuid) -> Result<Option<Cuid>, Error> {
        let mut steps = self.begin();
        while let Some(message) = steps.next().await? {
            if let Some(reply) = message.reply.filter(|reply| reply != this) {
                return Ok(Some(reply));
            }
            // What is not near may be far.
            steps.walk.size = largest();
        }
        Ok(None)
    }

    /// A page of the items that are met. From the oldest to the newest the whole path is walked for it,
    /// since only its end is known.
    pub(in crate::openai) async fn page(self, query: &Listing) -> Result<Items, Fault> {
        let mut steps = self.begin();
        let size = query.size.get() as usize;
        let mut found = VecDeque::new();
        let mut is_met = query.after.is_none();
        'walk: while let Some(message) = steps.next().await? {
            // An item that was removed meanwhile has left its place behind.
            let after = query.after.as_ref();
            let after = after.and_then(|after| after.part_of(&message));
            is_met |= after.is_some();
            for Placed { item, parts } in items(message).into_iter().rev() {
                // Newest first, what is wanted is met behind `after`; oldest first, before it.
                let is_wanted = match after {
                    Some(after) if query.oldest_first => parts.start > after,
                    Some(after) => parts.start < after,
                    None => query.oldest_first || is_met,
                };
                if !is_wanted {
                    continue;
                }
                found.push_back(item);
                if found.len() > size + 1 && query.oldest_first {
                    found.pop_front();
                } else if found.len() > size && !query.oldest_first {
                    break 'walk;
                }
            }
            if after.is_some() && query.oldest_first {
                break;
            }
        }
        if !is_met {
            return Err(Fault::invalid("after", "is none of these items"));
        }
        let mut data: Vec<Item> = found.into();
        if query.oldest_first {
            data.reverse();
        }
        let has_more = data.len() > size;
        data.truncate(size);
        Ok(Items::new(data, has_more))
    }
}

impl Steps<'_> {
    async fn next(&mut self) -> Result<Option<Message>, Error> {
        loop {
            if let Some(message) = self.page.next() {
                if self.walk.within_turn && message.reply.is_some() {
                    return Ok(None);
                }
                return Ok(Some(message));
            }
            if self.is_last {
                return Ok(None);
            }
            let walk = &self.walk;
            let page = walk
                .chat
                .messages(
                    walk.caller,
                    walk.session,
                    MessageView::Path,
                    walk.from,
                    walk.size,
                )
                .await?;
            self.walk.from = page.next;
            self.is_last = page.next.is_none();
            self.page = page.items.into_iter();
        }
    }
}

/// The parameters of a list of items.
#[derive(Deserialize, JsonSchema)]
pub(in crate::openai) struct ItemQuery {
    /// How many items at most.
    #[schemars(with = "u32", range(min = 1, max = chat::limits::PAGE_ITEMS), extend("default" = chat::limits::PAGE_ITEMS_DEFAULT))]
    limit: Option<u32>,
    /// From the newest to the oldest, or the other way.
    #[schemars(with = "String", extend("enum" = ["asc", "desc"], "default" = "desc"))]
    order: Option<String>,
    /// The last item of the page before.
    #[schemars(
        with = "String",
        regex(pattern = ITEM)
    )]
    after: Option<String>,
}

/// Which part of a list is wanted.
pub(in crate::openai) struct Listing {
    pub(in crate::openai) size: PageSize,
    pub(in crate::openai) oldest_first: bool,
    pub(in crate::openai) after: Option<ItemId>,
}

impl ItemQuery {
    pub(in crate::openai) fn parse(self) -> Result<Listing, Fault> {
        let after = self.after.map(|after| {
            let id = ItemId::parse(&after).map(ItemId::kept);
            id.ok_or_else(|| Fault::invalid("after", "is none of these items"))
        });
        Ok(Listing {
            size: size(self.limit)?,
            oldest_first: match self.order.as_deref() {
                None | Some("desc") => false,
                Some("asc") => true,
                Some(_) => return Err(Fault::invalid("order", "must be one of: asc, desc")),
            },
            after: after.transpose()?,
        })
    }
}

/// As many messages as can be read at once.
pub(in crate::openai) fn largest() -> PageSize {
    PageSize::new(chat::limits::PAGE_ITEMS).unwrap_or_default()
}

/// How many items a page is to have.
pub(in crate::openai) fn size(limit: Option<u32>) -> Result<PageSize, Fault> {
    let size = limit.map(PageSize::new).transpose();
    let size = size.map_err(|error| Fault::invalid("limit", error))?;
    Ok(size.unwrap_or_default())
}

/// A page of items. The names are empty if it is.
#[derive(Serialize, JsonSchema)]
pub(in crate::openai) struct Items {
    #[schemars(extend("const" = "list"))]
    object: &'static str,
    data: Vec<Item>,
    first_id: String,
    last_id: String,
    has_more: bool,
}

impl Items {
    pub(in crate::openai) fn new(data: Vec<Item>, has_more: bool) -> Self {
        let id = |item: Option<&Item>| item.map_or_else(String::new, |item| item.id().to_owned());
        Self {
            object: "list",
            first_id: id(data.first()),
            last_id: id(data.last()),
            data,
            has_more,
        }
    }

    pub(in crate::openai) fn example() -> Self {
        Self::new(vec![Item::example()], false)
    }
}
