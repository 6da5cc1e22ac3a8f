//! A part of a transaction that can fail on its own: what it wrote is undone, what was written before it stays.

use super::Tx;
use crate::error::StoreError;

impl Tx {
    /// Runs a part of the transaction. On `Err` its writes, events and jobs are undone and the transaction goes on.
    ///
    /// A statement that failed below it still fails the whole transaction: only decisions can be taken back, not
    /// errors of the database.
    ///
    /// # Errors
    /// Whatever the part returns, or the database refusing the savepoint.
    pub fn savepoint<T, E: From<StoreError>>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let (events, jobs) = (self.effects.events.len(), self.effects.jobs.len());
        self.conn.control("SAVEPOINT part")?;
        match part(self) {
            Ok(value) => {
                self.conn.control("RELEASE SAVEPOINT part")?;
                Ok(value)
            }
            Err(error) => {
                self.conn.control("ROLLBACK TO SAVEPOINT part")?;
                self.conn.control("RELEASE SAVEPOINT part")?;
                self.effects.events.truncate(events);
                self.effects.jobs.truncate(jobs);
                Err(error)
            }
        }
    }
}
