use crate::limits;

/// How many items a page has at most: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(u32);

/// The number is no page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {}", limits::PAGE_ITEMS)]
pub struct InvalidPageSize;

impl PageSize {
    /// A size, if it is 1 to 100.
    pub fn new(size: u32) -> Result<Self, InvalidPageSize> {
        if (1..=limits::PAGE_ITEMS).contains(&size) {
            Ok(Self(size))
        } else {
            Err(InvalidPageSize)
        }
    }

    /// The size as a number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(limits::PAGE_ITEMS_DEFAULT)
    }
}

/// A part of a list, and from where it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, Position> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

impl<T, Position> Page<T, Position> {
    /// The page of `size` that `items` begin with; they must be one more if there is a next page.
    pub fn cut(mut items: Vec<T>, size: PageSize, position: impl FnOnce(&T) -> Position) -> Self {
        let more = items.len() > size.get() as usize;
        items.truncate(size.get() as usize);
        let last = items.last().filter(|_| more);
        let next = last.map(position);
        Self { items, next }
    }
}
