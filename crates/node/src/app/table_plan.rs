//! What of a table a grant shows.

use super::{App, access::Grant};
use fondaco_core::{Code, Error, Result, product::ProductKind};
use fondaco_tables::{governed::TablePlan, publish::PublishedTable};

impl App {
    /// The plan of a grant about a table. Its hashes are the agreement's own.
    ///
    /// # Errors
    /// [`Code::NotFound`] when it is about something else; [`Code::PolicyUnsupported`] when its terms do not fit the table.
    pub fn table_plan(&self, grant: &Grant) -> Result<TablePlan> {
        if grant.product.kind != ProductKind::Table {
            return Err(Error::not_found("A table under this token"));
        }
        let table: PublishedTable = serde_json::from_value(grant.product.content.clone())
            .map_err(|e| Error::new(Code::DataDamaged, "The product's description cannot be read.").with_internal(e))?;
        let key = self.sealer.derive(&format!("table-plan:{}:{}", grant.transfer.participant, grant.transfer.agreement_id));
        TablePlan::new(&grant.permit.view, &table.schema, key.as_ref()).map_err(|e| {
            // The reason could name what is hidden.
            Error::new(Code::PolicyUnsupported, "The agreed terms do not fit the columns of this version of the table; ask its provider.")
                .with_internal(e)
        })
    }
}
