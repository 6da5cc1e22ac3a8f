//! Connections: kept with their secrets sealed, tried out, and opened for a source.

use super::{App, publish::SourceAccess};
use fondaco_core::{
    Code, Error, Result,
    connection::{Connection, Secret, Target, check_name},
    participant::{Participant, Slug},
};

fn context(slug: &Slug, name: &str) -> String {
    format!("connection:{slug}:{name}")
}

impl App {
    /// The connections of a participant, without secrets.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn connections(&self, slug: &Slug) -> Result<Vec<Connection>> {
        let slug = slug.clone();
        self.store.read("connection.list", move |tx| -> Result<_> { Ok(tx.connection_list(&slug)?) }).await
    }

    /// Adds or replaces a connection. An operator's may lead into private networks.
    ///
    /// # Errors
    /// [`Code::Invalid`] naming the setting.
    pub async fn connection_put(
        &self,
        participant: &Participant,
        name: &str,
        target: Target,
        secret: Secret,
        access: SourceAccess,
    ) -> Result<Connection> {
        check_name(name)?;
        target.check(&secret)?;
        let connection = Connection {
            participant: participant.slug.clone(),
            name: name.to_owned(),
            target,
            operator: access.operator,
            created_at: self.now(),
        };
        let text = serde_json::to_vec(&secret).map_err(Error::internal_failure)?;
        let sealed = self.sealer.seal(&context(&participant.slug, name), &text, &*self.entropy)?;
        let stored = connection.clone();
        self.store.tx("connection.put", move |tx| -> Result<_> { Ok(tx.connection_put(&stored, &sealed)?) }).await?;
        Ok(connection)
    }

    /// Removes a connection. Products published through it stay; feeds through it fail from now on.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn connection_remove(&self, slug: &Slug, name: &str) -> Result<()> {
        let (slug, name) = (slug.clone(), name.to_owned());
        self.store
            .tx("connection.remove", move |tx| -> Result<()> {
                if tx.connection_delete(&slug, &name)? { Ok(()) } else { Err(missing(&name)) }
            })
            .await
    }

    async fn connection_open(&self, slug: &Slug, name: &str) -> Result<(Connection, Secret)> {
        let (of, named) = (slug.clone(), name.to_owned());
        let found = self.store.read("connection.get", move |tx| -> Result<_> { Ok(tx.connection_get(&of, &named)?) }).await?;
        let (connection, sealed) = found.ok_or_else(|| missing(name))?;
        let text = self.sealer.open(&context(slug, name), &sealed)?;
        Ok((connection, serde_json::from_slice(&text).map_err(Error::internal_failure)?))
    }
}

fn missing(name: &str) -> Error {
    Error::new(Code::NotFound, format!("There is no connection \"{name:.80}\". Make it with: fondaco connection add"))
}
