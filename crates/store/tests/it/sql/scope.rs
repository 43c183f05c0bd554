//! Whether a statement keeps to the rows of the owners that it is told.
//!
//! A row of a tenant table has to be held by its owner: `owner` equals a parameter, or the owner of a
//! row that is held so. What is not understood counts as not held.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, ConflictTarget, Expr, FromTable, Insert,
    JoinConstraint, JoinOperator, ObjectName, OnConflictAction, OnInsert, Query, Select,
    SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableObject, TableWithJoins,
    UpdateTableFromKind, Value, Visit, Visitor,
};

pub(super) const TENANTS: [&str; 8] = [
    "session",
    "message",
    "reply",
    "reply_event",
    "idempotency",
    "feed",
    "deleted_session",
    "usage",
];
/// As a tenant table, but a token may be looked up by its identifier, too.
const TOKEN: &str = "token";

/// What was found out about a statement.
#[derive(Default)]
pub(super) struct Checked {
    /// How often it names a tenant table.
    pub(super) tenant: usize,
    /// Those rows, by the names that they have in it, that nothing holds; and what else is wrong.
    pub(super) unscoped: Vec<String>,
}

pub(super) fn check(statement: &Statement) -> Checked {
    let mut walk = Walk::default();
    let _ = statement.visit(&mut walk);
    if walk.named != walk.checked.tenant {
        walk.fault("a form that is not understood");
    }
    walk.checked
}

pub(super) fn last(name: &ObjectName) -> String {
    let ident = name.0.last().and_then(|part| part.as_ident());
    ident.map_or_else(String::new, |ident| ident.value.to_lowercase())
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Tenant,
    Token,
    /// Made by the statement; its owner is that of a row that is checked by itself, or a parameter.
    Trusted,
    /// May have an owner of which nothing is known.
    Untrusted,
    /// Without an owner.
    Other,
}

/// Rows that can be named where a condition stands.
#[derive(Clone)]
struct Rows {
    name: String,
    kind: Kind,
    held: bool,
}

/// Holds for all rows beside it, or only for those of an outer join.
type Condition<'a> = (Option<usize>, &'a Expr);

#[derive(Default)]
struct Walk {
    /// What each WITH around has named.
    named_queries: Vec<Vec<(String, Kind)>>,
    /// What the statements around name; `held` without what a subquery says.
    around: Vec<Vec<Rows>>,
    named: usize,
    checked: Checked,
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.named_queries.push(Vec::new());
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = cte.alias.name.value.to_lowercase();
            if is_tenant(&name) {
                self.fault("a WITH that has the name of a table");
            }
            let kind = self.kind(&cte.query, Some(&cte.alias));
            self.named_queries.last_mut().unwrap().push((name, kind));
        }
        if has_table(&query.body) {
            self.fault("TABLE");
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.named_queries.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.hold(
            &select.from.iter().collect::<Vec<_>>(),
            select.selection.as_ref(),
        );
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Update(update) => {
                self.assigns(&update.assignments);
                self.hold(&updated(update), update.selection.as_ref());
            }
            Statement::Delete(delete) => {
                self.hold(&deleted(delete), delete.selection.as_ref());
            }
            Statement::Insert(insert) => {
                self.insert(insert);
                self.around.push(Vec::new());
            }
            _ => self.around.push(Vec::new()),
        }
        ControlFlow::Continue(())
    }

    fn post_visit_statement(&mut self, _: &Statement) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.named += usize::from(is_tenant(&last(relation)));
        ControlFlow::Continue(())
    }
}

impl Walk {
    fn fault(&mut self, what: &str) {
        self.checked.unscoped.push(what.to_owned());
    }

    /// Checks the rows of one part of a statement, and leaves them for the parts within.
    fn hold(&mut self, from: &[&TableWithJoins], selection: Option<&Expr>) {
        let (mut rows, conditions) = self.rows(from);
        let mut all = Vec::new();
        for (only, condition) in conditions {
            split(condition, only, &mut all);
        }
        if let Some(selection) = selection {
            split(selection, None, &mut all);
        }
        self.settle(&mut rows, &all, false);
        // A subquery that this one relies on must not rely on this one.
        let sure = rows.clone();
        self.settle(&mut rows, &all, true);
        for row in &rows {
            if matches!(row.kind, Kind::Tenant | Kind::Token) {
                self.checked.tenant += 1;
                if !row.held {
                    self.fault(&row.name);
                }
            }
        }
        self.around.push(sure);
    }

    /// Finds out which rows are held by the conditions.
    fn settle(&self, rows: &mut [Rows], all: &[Condition<'_>], subqueries: bool) {
        let mut before = usize::MAX;
        let mut held = 0;
        while held != before {
            for (only, condition) in all {
                if let Some(at) = self.holds(rows, condition, subqueries)
                    && only.is_none_or(|only| only == at)
                {
                    rows[at].held = true;
                }
            }
            before = held;
            held = rows.iter().filter(|row| row.held).count();
        }
    }

    /// Which rows a condition holds.
    fn holds(&self, rows: &[Rows], condition: &Expr, subqueries: bool) -> Option<usize> {
        match condition {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => self
                .equals(rows, left, right)
                .or_else(|| self.equals(rows, right, left)),
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } if parameter(right) => place(rows, left).or_else(|| token(rows, left)),
            Expr::InSubquery {
                expr,
                subquery,
                negated: false,
            } if subqueries => {
                let columns = match &**expr {
                    Expr::Tuple(columns) => columns.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let at = columns.iter().position(|one| place(rows, one).is_some())?;
                let leaves = leaves(&subquery.body);
                let trusted = leaves.iter().all(|leaf| self.is_trusted(leaf, at));
                place(rows, &columns[at]).filter(|_| trusted)
            }
            _ => None,
        }
    }

    fn equals(&self, rows: &[Rows], owner: &Expr, other: &Expr) -> Option<usize> {
        if parameter(other) {
            return place(rows, owner).or_else(|| token(rows, owner));
        }
        let at = place(rows, owner)?;
        let is_held = match place(rows, other) {
            Some(other) => other != at && rows[other].held,
            // It may be of a statement around, if none of these rows can be meant.
            None => match self.around.iter().rev().find(|rows| means(rows, other)) {
                Some(around) if !means(rows, other) => {
                    place(around, other).is_some_and(|at| around[at].held)
                }
                _ => false,
            },
        };
        is_held.then_some(at)
    }

    /// The rows of a FROM, and the conditions of its joins.
    fn rows<'a>(&self, from: &[&'a TableWithJoins]) -> (Vec<Rows>, Vec<Condition<'a>>) {
        let (mut rows, mut conditions) = (Vec::new(), Vec::new());
        for table in from {
            rows.extend(self.row(&table.relation));
            for join in &table.joins {
                let at = rows.len();
                rows.extend(self.row(&join.relation));
                match &join.join_operator {
                    JoinOperator::Join(JoinConstraint::On(on))
                    | JoinOperator::Inner(JoinConstraint::On(on))
                    | JoinOperator::CrossJoin(JoinConstraint::On(on)) => {
                        conditions.push((None, on));
                    }
                    JoinOperator::Left(JoinConstraint::On(on))
                    | JoinOperator::LeftOuter(JoinConstraint::On(on)) => {
                        conditions.push((Some(at), on));
                    }
                    _ => {}
                }
            }
        }
        (rows, conditions)
    }

    fn row(&self, table: &TableFactor) -> Option<Rows> {
        let (name, alias, kind) = match table {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                let name = last(name);
                let mut named = self.named_queries.iter().rev().flatten();
                let kind = match named.find(|(named, _)| *named == name) {
                    Some((_, kind)) => *kind,
                    None if name == TOKEN => Kind::Token,
                    None if is_tenant(&name) => Kind::Tenant,
                    None => Kind::Other,
                };
                (name, alias, kind)
            }
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                ..
            } => {
                let kind = match self.kind(subquery, alias.as_ref()) {
                    // It may rely on what is beside it.
                    Kind::Trusted if *lateral => Kind::Untrusted,
                    kind => kind,
                };
                (String::new(), alias, kind)
            }
            TableFactor::UNNEST {
                alias, array_exprs, ..
            } => {
                let names_owner = alias
                    .as_ref()
                    .is_some_and(|alias| owner_of(alias).is_some());
                let trusted = names_owner && array_exprs.iter().all(parameter);
                let kind = if trusted {
                    Kind::Trusted
                } else {
                    Kind::Untrusted
                };
                (String::new(), alias, kind)
            }
            _ => return None,
        };
        let alias = alias.as_ref().map(|alias| alias.name.value.to_lowercase());
        Some(Rows {
            name: alias.unwrap_or(name),
            kind,
            held: kind == Kind::Trusted,
        })
    }

    /// What the rows of a query are.
    fn kind(&self, query: &Query, alias: Option<&TableAlias>) -> Kind {
        let leaves = leaves(&query.body);
        let renamed = alias.is_some_and(|alias| !alias.columns.is_empty());
        let first = leaves.first();
        let at = if renamed {
            alias.and_then(owner_of)
        } else {
            first.and_then(|leaf| leaf.items.iter().position(|(name, _)| name == "owner"))
        };
        match at {
            Some(at) if leaves.iter().all(|leaf| self.is_trusted(leaf, at)) => Kind::Trusted,
            None if renamed || first.is_some_and(|leaf| !leaf.has_wildcard(leaf.items.len())) => {
                Kind::Other
            }
            _ => Kind::Untrusted,
        }
    }

    /// Whether what a query gives at a place is an owner that is known.
    fn is_trusted(&self, leaf: &Leaf<'_>, at: usize) -> bool {
        let Some((_, Some(item))) = leaf.items.get(at) else {
            return false;
        };
        let (rows, _) = self.rows(&leaf.from);
        let is_owner = || {
            let kind = place(&rows, item).map(|at| rows[at].kind);
            matches!(kind, Some(Kind::Tenant | Kind::Token | Kind::Trusted))
        };
        !leaf.has_wildcard(at) && (parameter(item) || is_owner())
    }

    fn insert(&mut self, insert: &Insert) {
        let TableObject::TableName(name) = &insert.table else {
            return;
        };
        let table = last(name);
        if !is_tenant(&table) {
            return;
        }
        self.checked.tenant += 1;
        let at = insert
            .columns
            .iter()
            .position(|column| last(column) == "owner");
        let leaves = insert.source.iter().flat_map(|source| leaves(&source.body));
        let leaves: Vec<_> = leaves.collect();
        let is_given = at.is_some_and(|at| leaves.iter().all(|leaf| self.is_trusted(leaf, at)));
        if !is_given || leaves.is_empty() {
            self.fault(&table);
        }
        match &insert.on {
            Some(OnInsert::OnConflict(on)) => {
                let by_owner = matches!(&on.conflict_target,
                    Some(ConflictTarget::Columns(columns)) if columns[0].value == "owner");
                if !by_owner && table != TOKEN {
                    self.fault("ON CONFLICT");
                }
                if let OnConflictAction::DoUpdate(update) = &on.action {
                    self.assigns(&update.assignments);
                }
            }
            Some(_) => self.fault("ON"),
            None => {}
        }
    }

    /// What an owner has stays the owner's.
    fn assigns(&mut self, assignments: &[Assignment]) {
        let is_owner = |name: &ObjectName| last(name) == "owner";
        let any = assignments.iter().any(|one| match &one.target {
            AssignmentTarget::ColumnName(name) => is_owner(name),
            AssignmentTarget::Tuple(names) => names.iter().any(is_owner),
        });
        if any {
            self.fault("SET owner");
        }
    }
}

/// One SELECT of a UNION, or one row of VALUES, or what a statement returns.
struct Leaf<'a> {
    from: Vec<&'a TableWithJoins>,
    /// Names and expressions; a `*` has none.
    items: Vec<(String, Option<&'a Expr>)>,
}

impl Leaf<'_> {
    fn has_wildcard(&self, before: usize) -> bool {
        self.items[..before].iter().any(|(_, item)| item.is_none())
    }
}

fn leaves(body: &SetExpr) -> Vec<Leaf<'_>> {
    fn leaf<'a>(from: Vec<&'a TableWithJoins>, items: &'a [SelectItem]) -> Vec<Leaf<'a>> {
        let items = items.iter().map(item).collect();
        vec![Leaf { from, items }]
    }
    match body {
        SetExpr::Select(select) => leaf(select.from.iter().collect(), &select.projection),
        SetExpr::Query(query) => leaves(&query.body),
        SetExpr::SetOperation { left, right, .. } => {
            let mut all = leaves(left);
            all.extend(leaves(right));
            all
        }
        SetExpr::Values(values) => {
            let rows = values.rows.iter().map(|row| Leaf {
                from: Vec::new(),
                items: row.iter().map(|one| (String::new(), Some(one))).collect(),
            });
            rows.collect()
        }
        SetExpr::Update(Statement::Update(update)) => leaf(
            updated(update),
            update.returning.as_deref().unwrap_or_default(),
        ),
        SetExpr::Delete(Statement::Delete(delete)) => leaf(
            deleted(delete),
            delete.returning.as_deref().unwrap_or_default(),
        ),
        SetExpr::Insert(Statement::Insert(insert)) => {
            leaf(Vec::new(), insert.returning.as_deref().unwrap_or_default())
        }
        _ => Vec::new(),
    }
}

fn item(item: &SelectItem) -> (String, Option<&Expr>) {
    match item {
        SelectItem::UnnamedExpr(expr) => (
            column(expr).map_or_else(String::new, |(_, name)| name),
            Some(expr),
        ),
        SelectItem::ExprWithAlias { expr, alias } => (alias.value.to_lowercase(), Some(expr)),
        _ => (String::new(), None),
    }
}

fn updated(update: &sqlparser::ast::Update) -> Vec<&TableWithJoins> {
    let from = match &update.from {
        Some(UpdateTableFromKind::AfterSet(from)) => from.as_slice(),
        _ => &[],
    };
    std::iter::once(&update.table).chain(from).collect()
}

fn deleted(delete: &sqlparser::ast::Delete) -> Vec<&TableWithJoins> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    from.iter().chain(delete.using.iter().flatten()).collect()
}

fn has_table(body: &SetExpr) -> bool {
    match body {
        SetExpr::Table(_) => true,
        SetExpr::SetOperation { left, right, .. } => has_table(left) || has_table(right),
        _ => false,
    }
}

/// The conditions that all have to be true.
fn split<'a>(condition: &'a Expr, only: Option<usize>, all: &mut Vec<Condition<'a>>) {
    match condition {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            split(left, only, all);
            split(right, only, all);
        }
        Expr::Nested(inner) => split(inner, only, all),
        _ => all.push((only, condition)),
    }
}

/// Which of the rows an expression is the owner of.
fn place(rows: &[Rows], expr: &Expr) -> Option<usize> {
    let (of, name) = column(expr)?;
    let mut found = (0..).zip(rows).filter(|(_, row)| match &of {
        Some(of) => row.name == *of,
        None => row.kind != Kind::Other,
    });
    let (at, row) = found.next()?;
    let is_one = found.next().is_none() && row.kind != Kind::Other;
    (name == "owner" && is_one).then_some(at)
}

/// Whether a column may be one of these rows'.
fn means(rows: &[Rows], expr: &Expr) -> bool {
    rows.iter().any(|row| match column(expr) {
        Some((Some(of), _)) => row.name == of,
        _ => row.kind != Kind::Other,
    })
}

/// The token that an expression is the identifier of.
fn token(rows: &[Rows], expr: &Expr) -> Option<usize> {
    let (of, name) = column(expr)?;
    let is_it = |row: &Rows| {
        row.kind == Kind::Token && of.as_ref().map_or(rows.len() == 1, |of| *of == row.name)
    };
    (name == "id")
        .then(|| rows.iter().position(is_it))
        .flatten()
}

/// The rows that a column names, and its name.
fn column(expr: &Expr) -> Option<(Option<String>, String)> {
    match expr {
        Expr::Identifier(name) => Some((None, name.value.to_lowercase())),
        Expr::CompoundIdentifier(names) => match names.as_slice() {
            [of, name] => Some((Some(of.value.to_lowercase()), name.value.to_lowercase())),
            _ => None,
        },
        Expr::Nested(inner) => column(inner),
        _ => None,
    }
}

fn parameter(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => parameter(inner),
        _ => false,
    }
}

fn owner_of(alias: &TableAlias) -> Option<usize> {
    let mut columns = alias.columns.iter();
    columns.position(|column| column.name.value.eq_ignore_ascii_case("owner"))
}

fn is_tenant(table: &str) -> bool {
    table == TOKEN || TENANTS.contains(&table)
}
