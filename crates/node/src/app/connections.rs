//! Connections: kept with their secrets sealed, tried out, and opened for a source.

use super::{App, publish::SourceAccess};
use crate::net::{NetworkRule, resolver::resolve_checked, storage::connector};
use fondaco_core::{
    Code, Error, Result,
    connection::{Check, Connection, Secret, Target, Tls, check_name},
    participant::{Participant, Slug},
    product::ProductKind,
    publication::Source,
};
use fondaco_tables::publish::{
    Patience, PostgresQuery, PostgresSettings, PostgresTls, Storage, StorageCredentials, TableSource, newest_delta_version,
};
use serde_json::json;
use std::path::PathBuf;

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
            last_check: None,
        };
        let text = serde_json::to_vec(&secret).map_err(Error::internal_failure)?;
        let sealed = self.sealer.seal(&context(&participant.slug, name), &text, &*self.entropy)?;
        let (app, stored) = (self.clone(), connection.clone());
        self.store
            .tx("connection.put", move |tx| -> Result<()> {
                tx.connection_put(&stored, &sealed)?;
                let detail = json!({"kind": stored.target.kind(), "place": stored.target.place(), "operator": stored.operator});
                app.note_administration(tx, Some(&stored.participant), "connection-set", &stored.name, &detail)
            })
            .await?;
        Ok(connection)
    }

    /// Removes a connection. Products published through it stay; feeds through it fail from now on.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn connection_remove(&self, slug: &Slug, name: &str) -> Result<()> {
        let (app, slug, name) = (self.clone(), slug.clone(), name.to_owned());
        self.store
            .tx("connection.remove", move |tx| -> Result<()> {
                if !tx.connection_delete(&slug, &name)? {
                    return Err(missing(&name));
                }
                app.note_administration(tx, Some(&slug), "connection-removed", &name, &json!({}))
            })
            .await
    }

    /// Tries a connection out: signs in and reads the least there is to read. How it went is kept with the connection.
    ///
    /// # Errors
    /// [`Code::SourceUnreachable`], [`Code::SourceRefused`] with the source's own words.
    pub async fn connection_check(&self, participant: &Participant, name: &str) -> Result<String> {
        let (connection, _) = self.connection_open(&participant.slug, name).await?;
        let place = connection.target.place();
        let outcome = self.try_out(participant, &connection).await;
        let check = Check { at: self.now(), outcome: outcome.clone() };
        self.store.tx("connection.checked", move |tx| -> Result<_> { Ok(tx.connection_checked(&connection, &check)?) }).await?;
        outcome.map(|()| place)
    }

    async fn try_out(&self, participant: &Participant, connection: &Connection) -> Result<()> {
        let name = &connection.name;
        let data = self.config.data_dir();
        let failed = move |e: fondaco_tables::TablesError| super::publish::source_error(&e, &data);
        match connection.target {
            Target::S3 { .. } => {
                let storage = self.storage(participant, name).await?;
                tokio::task::spawn_blocking(move || storage.check()).await.map_err(Error::internal_failure)?.map_err(failed)?;
            }
            Target::Postgres { .. } => {
                let query = self.postgres_query(participant, name, "SELECT 1".into()).await?;
                tokio::task::spawn_blocking(move || query.settings.check()).await.map_err(Error::internal_failure)?.map_err(failed)?;
            }
        }
        Ok(())
    }

    async fn connection_open(&self, slug: &Slug, name: &str) -> Result<(Connection, Secret)> {
        let (of, named) = (slug.clone(), name.to_owned());
        let found = self.store.read("connection.get", move |tx| -> Result<_> { Ok(tx.connection_get(&of, &named)?) }).await?;
        let (connection, sealed) = found.ok_or_else(|| missing(name))?;
        let text = self.sealer.open(&context(slug, name), &sealed)?;
        Ok((connection, serde_json::from_slice(&text).map_err(Error::internal_failure)?))
    }

    /// Which addresses a connection may lead to: private ones when an operator made it or the node is told so.
    fn source_rule(&self, connection: &Connection) -> NetworkRule {
        let own = self.outbound.rule();
        if connection.operator || self.config.sources.allow_private {
            return NetworkRule { allow_private: true, allow_loopback: true, allow_http: true };
        }
        own
    }

    /// An object store, opened for a source.
    pub(super) async fn storage(&self, participant: &Participant, name: &str) -> Result<Storage> {
        let (connection, secret) = self.connection_open(&participant.slug, name).await?;
        let rule = self.source_rule(&connection);
        let Target::S3 { endpoint, region, bucket, path_style, access_key_id } = connection.target else {
            return Err(Error::invalid(format!("The connection \"{name}\" leads to a database, not to an object store.")));
        };
        let credentials = match (access_key_id, secret.secret_access_key) {
            (Some(access_key), Some(secret_key)) => {
                Some(StorageCredentials { access_key, secret_key, session_token: secret.session_token })
            }
            _ => None,
        };
        Ok(Storage {
            endpoint: endpoint.map(|e| e.as_str().trim_end_matches('/').to_owned()),
            region,
            bucket,
            path_style,
            // Whether this very address may be called in the clear is the rule's to say.
            allow_http: true,
            credentials,
            connector: Some(connector(rule)?),
            patience: Patience::default(),
        })
    }

    /// A query, ready to be run.
    pub(super) async fn postgres_query(&self, participant: &Participant, name: &str, query: String) -> Result<PostgresQuery> {
        let (connection, secret) = self.connection_open(&participant.slug, name).await?;
        let rule = self.source_rule(&connection);
        let Target::Postgres { host, port, database, user, tls } = connection.target else {
            return Err(Error::invalid(format!("The connection \"{name}\" leads to an object store, not to a database.")));
        };
        // Resolved and checked once; the address that was checked is the one that is called.
        let address = resolve_checked(&host, rule).await?;
        let tls = match tls {
            Tls::Require => PostgresTls::Require,
            Tls::Disable => PostgresTls::Disable,
        };
        Ok(PostgresQuery {
            settings: PostgresSettings {
                port,
                password: secret.password,
                tls,
                hostaddr: Some(address),
                ..PostgresSettings::new(host, database, user)
            },
            query,
        })
    }

    /// The newest version of a source that is a Delta table.
    ///
    /// # Errors
    /// As when it is read; [`Code::Forbidden`] for a path that `access` does not reach.
    pub(super) async fn newest_delta_version(
        &self,
        participant: &Participant,
        source: &Source,
        access: SourceAccess,
    ) -> Result<Option<u64>> {
        let source = match self.allowed_source(ProductKind::Table, source, access)? {
            Source::Paths { paths, .. } => TableSource::Paths(paths.into_iter().map(PathBuf::from).collect()),
            Source::S3 { connection, paths } => {
                TableSource::ObjectStore { storage: Box::new(self.storage(participant, &connection).await?), paths }
            }
            Source::Upload | Source::Postgres { .. } => return Ok(None),
        };
        let data = self.config.data_dir();
        tokio::task::spawn_blocking(move || newest_delta_version(&source).map_err(|e| super::publish::source_error(&e, &data)))
            .await
            .map_err(Error::internal_failure)?
    }
}

fn missing(name: &str) -> Error {
    Error::new(Code::NotFound, format!("There is no connection \"{name:.80}\". Make it with: fondaco connection add-s3, or add-postgres"))
}
