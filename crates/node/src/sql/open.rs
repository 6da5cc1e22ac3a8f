//! Access that is open to statements: its table, its reads, what goes out of it.

use super::{to_error, to_refusal};
use crate::app::{App, access::Grant, product_files::FILES_AT_ONCE, weighing::Portion};
use fondaco_core::{Code, Error, Result, participant::Slug};
use fondaco_tables::{
    governed::{Source, TablePlan},
    sql::{Access, Accesses, Answer, Limits, Refusal, SourceFile, Table},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What stands for a file in the records of answers.
const ANSWER: &str = "answer";
/// Most files of a table that is asked: each is open while a statement runs.
const FILES_MAX: usize = 1_000;

/// Opens access by credentials.
pub(super) struct Doors(pub(super) App);

#[async_trait::async_trait]
impl Accesses for Doors {
    async fn open(&self, participant: &str, token: &str) -> Result<Arc<dyn Access>, Refusal> {
        let opened = Opened::by_token(&self.0, participant, token).await;
        opened.map(|o| Arc::new(o) as Arc<dyn Access>).map_err(|e| to_refusal(&e))
    }
}

/// Access that is open now.
pub(super) struct Opened {
    app: App,
    grant: Grant,
    /// What it is called in the records of what was delivered.
    query: String,
    /// Whether any of it went out.
    begun: AtomicBool,
}

impl Opened {
    /// By the name of a participant of ours and a token of its.
    ///
    /// # Errors
    /// As [`App::grant_by_token`].
    pub(super) async fn by_token(app: &App, participant: &str, token: &str) -> Result<Self> {
        // A name that is none is told as a wrong token: who is here is for the catalogue to say.
        let slug = Slug::parse(participant).map_err(|_| Error::new(Code::Unauthenticated, "The access token is not valid here."))?;
        let transfer = app.access_tokens.verify_at(&slug, token, app.now())?;
        let grant = app.grant_with_view(&slug, &transfer).await?;
        Ok(Self { app: app.clone(), grant, query: app.fresh_id(), begun: AtomicBool::new(false) })
    }

    /// The table as it is described: none of its files is opened.
    fn described(&self) -> Result<Table> {
        self.table_of(&self.app.table_plan(&self.grant)?, Vec::new())
    }

    async fn governed(&self) -> Result<Table> {
        let product = &self.grant.product;
        let mut sources = Vec::new();
        loop {
            let rows = self.app.product_files(&product.participant, &product.reference, sources.len() as u64).await?;
            let is_last = rows.len() < FILES_AT_ONCE as usize;
            if sources.len() + rows.len() > FILES_MAX {
                let why = format!("The table has more than {FILES_MAX} files: too many to ask. Fetch its files instead.");
                return Err(Error::new(Code::QueryLimit, why));
            }
            for row in &rows {
                sources.push(self.app.table_source(product, row).await?);
            }
            if is_last {
                break;
            }
        }
        let plan = Arc::new(self.app.table_plan(&self.grant)?);
        if let Some(files) = self.written(&plan, &sources).await? {
            return Table::shown(product.participant.as_str(), product.reference.id.as_str(), &plan, files).map_err(|e| to_error(&e));
        }
        if let Some(writing) = self.app.governor.asked(&plan, sources.clone()).await {
            tokio::spawn(async move {
                if let Err(e) = writing.await {
                    tracing::warn!("sql: a table that is asked often was not written as it is shown: {e}");
                }
            });
        }
        let stored = sources.into_iter().map(|source| Arc::new(SourceFile::new(source.file, source.size, source.still_same)));
        self.table_of(&plan, stored.collect())
    }

    /// The files as they were written for this plan, if all were and not all are empty.
    async fn written(&self, plan: &TablePlan, sources: &[Source]) -> Result<Option<Vec<Arc<SourceFile>>>> {
        let mut files = Vec::new();
        for source in sources {
            let Some(written) = self.app.governor.written(plan, source).await.map_err(Error::internal_failure)? else { return Ok(None) };
            files.extend(SourceFile::shown(&written).map(Arc::new));
        }
        Ok((!files.is_empty()).then_some(files))
    }

    fn table_of(&self, plan: &TablePlan, files: Vec<Arc<SourceFile>>) -> Result<Table> {
        let product = &self.grant.product;
        Table::new(product.participant.as_str(), product.reference.id.as_str(), plan, files).map_err(|e| to_error(&e))
    }

    /// Runs a statement as one read, up to its first rows. One that is refused before it looked at a row was no read; one
    /// that failed on what it saw was: whether it fails tells something of the rows, as often as it is asked.
    ///
    /// # Errors
    /// What is wrong with the statement; [`Code::PolicyDenied`] when all agreed reads are used.
    pub(super) async fn answer(&self, sql: String) -> Result<Answer> {
        // Before any file is opened: each takes a descriptor, of which the process has so many.
        let place = self.app.sql.place(&self.grant.transfer.agreement_id, &Limits::default()).map_err(|e| to_error(&e))?;
        let table = self.governed().await?;
        // The grant was given because reads were left. Those that ask at once for the last of them begin to compute, and
        // all but one are refused here: nothing is told before it is counted, and the engine does not wait for the disk.
        let planned = self.app.sql.run_in(place, table, sql, Limits::default()).await;
        if let Err(e) = &planned
            && !e.looked_at_rows()
        {
            return Err(to_error(e));
        }
        self.app.admit_read(&self.grant).await?;
        metrics::counter!("fondaco_sql_queries_total").increment(1);
        let begun = async { planned?.begin().await };
        match begun.await {
            Ok(answer) => Ok(answer),
            Err(e) => {
                if !e.looked_at_rows() {
                    self.app.give_back_read(&self.grant).await?;
                }
                Err(to_error(&e))
            }
        }
    }

    /// Whether rows may go out: they are weighed first.
    ///
    /// # Errors
    /// [`Code::AccessEnded`]; [`Code::PolicyDenied`] when the agreed volume has no room for them.
    pub(super) async fn weigh(&self, bytes: u64, rows: u64) -> Result<()> {
        if !self.grant.watch.is_open(self.app.now()) {
            return Err(Error::new(Code::AccessEnded, "Access has ended."));
        }
        let more = self.begun.swap(true, Ordering::Relaxed);
        let mut weight = self.app.weigh(&self.grant, Portion { query: &self.query, file: ANSWER, rows, more }, bytes).await?;
        weight.sent(bytes);
        Ok(())
    }

    /// Resolves when access ends by somebody's doing; its own time is looked at before rows go out.
    pub(super) async fn ended(&self) {
        self.grant.watch.clone().closed().await;
    }
}

#[async_trait::async_trait]
impl Access for Opened {
    async fn table(&self) -> Result<Table, Refusal> {
        self.described().map_err(|e| to_refusal(&e))
    }

    async fn run(&self, sql: String) -> Result<Answer, Refusal> {
        self.answer(sql).await.map_err(|e| to_refusal(&e))
    }

    async fn let_out(&self, bytes: u64, rows: u64) -> Result<(), Refusal> {
        self.weigh(bytes, rows).await.map_err(|e| to_refusal(&e))
    }

    async fn closed(&self) {
        self.ended().await;
    }
}
