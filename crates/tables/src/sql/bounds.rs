//! How large a statement may be in every way that takes time, stack or memory before its limits on those hold: while it is
//! read and planned. Planning cannot be interrupted, and what it takes can double with each name that stands for two others.

use super::{
    SqlError,
    session::{only_select, told},
};
use datafusion::{
    common::{
        Column, DFSchemaRef,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    execution::SessionState,
    logical_expr::{Expr, LogicalPlan},
    sql::{
        parser::Statement,
        sqlparser::{
            ast::{self, TableFactor, Visit, Visitor},
            dialect::GenericDialect,
            keywords::Keyword,
            tokenizer::{Token, Tokenizer},
        },
    },
};
use std::{
    collections::{HashMap, VecDeque},
    ops::ControlFlow,
};

/// Signs and words that put one expression or query into another: `a OR b OR c` is as deep as it is long, and what is deep
/// takes stack. The threads have room for several times as many.
const DEEPER_MAX: usize = 1_000;
/// Names in one chain of points.
const CHAIN_MAX: usize = 16;
/// Tables named in the text.
const TABLES_MAX: usize = 100;
/// Tables, each name of a query replaced by the query.
const ALL_TABLES_MAX: usize = 300;
/// Steps of a plan, each name replaced by the query that it stands for.
const STEPS_MAX: usize = 2_000;
/// Parts of one expression, each name replaced by the expression that it stands for: rules of the optimiser do that.
const PARTS_MAX: usize = 5_000;
/// Parts of all of them.
const ALL_PARTS_MAX: usize = 50_000;

/// Checks a text before it is parsed.
///
/// # Errors
/// [`SqlError::Refused`].
pub(super) fn check_text(sql: &str) -> Result<(), SqlError> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    let tokens = tokens.map_err(|e| SqlError::Refused(format!("The statement cannot be understood: {e}")))?;
    let (mut deeper, mut chain) = (0, 0);
    for token in &tokens {
        chain = match token {
            Token::Period => chain + 1,
            Token::Word(_) => chain,
            _ => 0,
        };
        deeper += usize::from(goes_deeper(token));
        if deeper > DEEPER_MAX || chain > CHAIN_MAX {
            return Err(SqlError::Refused(format!(
                "The statement is too long: it has more than {DEEPER_MAX} operators and joins, or more than {CHAIN_MAX} names in a chain. Use IN \
                 with a list of values in place of many comparisons, or ask in parts."
            )));
        }
    }
    Ok(())
}

/// Every sign but those that are known not to, and the words that stand between two operands.
fn goes_deeper(token: &Token) -> bool {
    match token {
        Token::EOF
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Comma
        | Token::Whitespace(_)
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::SemiColon => false,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::NOTNULL
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::SIMILAR
                | Keyword::MATCH
                | Keyword::MEMBER
                | Keyword::BETWEEN
                | Keyword::AT
                | Keyword::COLLATE
                | Keyword::DIV
                | Keyword::OVERLAPS
                | Keyword::OPERATOR
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::MINUS
                | Keyword::JOIN
                | Keyword::APPLY
        ),
        _ => true,
    }
}

/// Parses and plans a statement whose text was checked.
///
/// # Errors
/// [`SqlError::Refused`].
pub(super) async fn planned(state: &SessionState, sql: &str) -> Result<LogicalPlan, SqlError> {
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect).map_err(|e| told(&e))?;
    let Statement::Statement(parsed) = &statement else { return Err(only_select()) };
    let mut tables = Tables::default();
    if let ControlFlow::Break(why) = parsed.visit(&mut tables) {
        return Err(SqlError::Refused(why));
    }
    let plan = state.statement_to_plan(statement).await.map_err(|e| told(&e))?;
    check_plan(&plan)?;
    Ok(plan)
}

/// The tables that a statement names: in its text, and with each name of a query within `WITH` replaced by that query.
/// Planning does so, and takes twice as long for each that stands for two others.
#[derive(Default)]
struct Tables {
    named: usize,
    queries: Vec<Query>,
}

/// A query that is being looked at.
#[derive(Default)]
struct Query {
    tables: usize,
    /// The names of its `WITH`, in their order; their queries come before all else that is in it.
    names: VecDeque<String>,
    /// The tables of those that were looked at.
    known: HashMap<String, usize>,
}

impl Visitor for Tables {
    type Break = String;

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<String> {
        let with = query.with.iter().flat_map(|w| &w.cte_tables);
        let names = with.map(|cte| cte.alias.name.value.to_lowercase()).collect();
        self.queries.push(Query { names, ..Query::default() });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &ast::Query) -> ControlFlow<String> {
        let Some(Query { tables, .. }) = self.queries.pop() else { return ControlFlow::Continue(()) };
        if let Some(outer) = self.queries.last_mut() {
            match outer.names.pop_front() {
                Some(name) => drop(outer.known.insert(name, tables)),
                None => outer.tables = outer.tables.saturating_add(tables),
            }
        }
        if tables > ALL_TABLES_MAX {
            return ControlFlow::Break(too_large("tables", ALL_TABLES_MAX));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        self.named += 1;
        if self.named > TABLES_MAX {
            return ControlFlow::Break(format!("The statement names more than {TABLES_MAX} tables."));
        }
        let mut stands_for = 1;
        if let TableFactor::Table { name, sample, .. } = factor {
            // The engine reads over it, and would answer of all rows.
            if sample.is_some() {
                return ControlFlow::Break("TABLESAMPLE is not answered.".into());
            }
            let name = name.to_string().replace('"', "").to_lowercase();
            stands_for = self.queries.iter().rev().find_map(|q| q.known.get(&name)).copied().unwrap_or(1).max(1);
        }
        if let Some(query) = self.queries.last_mut() {
            query.tables = query.tables.saturating_add(stands_for);
        }
        ControlFlow::Continue(())
    }
}

fn too_large(what: &str, most: usize) -> String {
    format!("The statement has more than {most} {what} when each name in it is replaced by what it stands for. Name fewer queries twice.")
}

fn check_plan(plan: &LogicalPlan) -> Result<(), SqlError> {
    let mut steps = 0;
    let visited = plan.apply_with_subqueries(|_| {
        steps += 1;
        Ok(if steps > STEPS_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    visited.map_err(|e| told(&e))?;
    if steps > STEPS_MAX {
        return Err(SqlError::Refused(too_large("steps", STEPS_MAX)));
    }
    let mut all = 0;
    weights(plan, &mut all).map(drop).map_err(|most| SqlError::Refused(too_large("parts of expressions", most)))
}

/// Of each column of a plan, the parts of the expression that it stands for; or the limit that is passed.
fn weights(plan: &LogicalPlan, all: &mut usize) -> Result<Vec<usize>, usize> {
    let mut inputs: Vec<(DFSchemaRef, Vec<usize>)> = Vec::new();
    for input in plan.inputs() {
        inputs.push((input.schema().clone(), weights(input, all)?));
    }
    let column = |c: &Column| inputs.iter().find_map(|(schema, of)| of.get(schema.maybe_index_of_column(c)?)).copied().unwrap_or(1);
    let mut weigh = |expr: &Expr| {
        let mut weight = 0_usize;
        let mut subqueries = Vec::new();
        let looked = expr.apply(|e| {
            weight = weight.saturating_add(match e {
                Expr::Column(c) => column(c),
                // There are long lists of them, which are no work.
                Expr::Literal(..) => 0,
                _ => 1,
            });
            match e {
                Expr::ScalarSubquery(query) => subqueries.push(query.subquery.clone()),
                Expr::Exists(exists) => subqueries.push(exists.subquery.subquery.clone()),
                Expr::InSubquery(within) => subqueries.push(within.subquery.subquery.clone()),
                Expr::SetComparison(of) => subqueries.push(of.subquery.subquery.clone()),
                _ => (),
            }
            Ok(TreeNodeRecursion::Continue)
        });
        looked.map_err(|_| PARTS_MAX)?;
        for query in subqueries {
            let of = weights(&query, all)?;
            weight = weight.saturating_add(of.iter().copied().fold(0, usize::saturating_add));
        }
        *all = all.saturating_add(weight);
        match () {
            () if weight > PARTS_MAX => Err(PARTS_MAX),
            () if *all > ALL_PARTS_MAX => Err(ALL_PARTS_MAX),
            () => Ok(weight),
        }
    };
    let own = plan.expressions().iter().map(&mut weigh).collect::<Result<Vec<_>, _>>()?;
    let columns = plan.schema().fields().len();
    let given: Vec<usize> = inputs.iter().flat_map(|(_, of)| of.iter().copied()).collect();
    Ok(match plan {
        LogicalPlan::Projection(_) if own.len() == columns => own,
        LogicalPlan::Window(_) if given.len() <= columns => given.into_iter().chain(std::iter::repeat(1)).take(columns).collect(),
        LogicalPlan::Union(_) => (0..columns).map(|i| inputs.iter().filter_map(|(_, of)| of.get(i)).copied().max().unwrap_or(1)).collect(),
        _ if given.len() == columns && !matches!(plan, LogicalPlan::Aggregate(_)) => given,
        // Keys of groups are looked through, and what is made of groups is not; joins of which one side is seen.
        _ => vec![own.into_iter().chain(given).max().unwrap_or(1); columns],
    })
}
