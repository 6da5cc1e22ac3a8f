//! `GET /p/{slug}/connections/new?kind=`, `GET /p/{slug}/connections/{name}`: the form of a connection, which is sent to
//! `POST /p/{slug}/connections`. Secrets go in and never come out: their fields are always empty.

use askama::Template;

use crate::fields::{Field, Problems};
use crate::text::{Text, filters};
use crate::view::Layout;

/// The form as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionForm {
    /// `s3` or `postgres`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// S3: the service's address.
    pub endpoint: String,
    /// S3: the region.
    pub region: String,
    /// S3: the bucket.
    pub bucket: String,
    /// S3: whether the bucket stands in the path.
    pub path_style: bool,
    /// S3: the public half of the key.
    pub access_key_id: String,
    /// PostgreSQL: the host.
    pub host: String,
    /// PostgreSQL: the port.
    pub port: String,
    /// PostgreSQL: the database.
    pub database: String,
    /// PostgreSQL: the user.
    pub user: String,
    /// PostgreSQL: whether the connection may be in the clear.
    pub plain: bool,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/connection.html", blocks = ["title"])]
pub struct ConnectionPage {
    /// Around the page.
    pub layout: Layout,
    /// The form.
    pub form: ConnectionForm,
    /// Whether it is there already: then its name stays.
    pub existing: bool,
    /// What is wrong.
    pub problems: Problems,
}

page!(ConnectionPage);

impl ConnectionPage {
    fn is_s3(&self) -> bool {
        self.form.kind == "s3"
    }

    fn heading(&self) -> Text {
        match (self.existing, self.is_s3()) {
            (true, _) => Text::plain(self.form.name.clone()),
            (false, true) => Text::say("connections-add-s3"),
            (false, false) => Text::say("connections-add-postgres"),
        }
    }

    fn name_field(&self) -> Field {
        let field = self.problems.field("name", Text::say("label-name"), &self.form.name);
        field.hint(Text::say("connections-name-hint")).max(60).required()
    }

    fn endpoint_field(&self) -> Field {
        let field = self.problems.field("endpoint", Text::say("connections-endpoint"), &self.form.endpoint);
        field.hint(Text::say("connections-endpoint-hint")).max(1_000)
    }

    fn region_field(&self) -> Field {
        let field = self.problems.field("region", Text::say("connections-region"), &self.form.region);
        field.hint(Text::say("connections-region-hint")).max(1_000).required()
    }

    fn bucket_field(&self) -> Field {
        self.problems.field("bucket", Text::say("connections-bucket"), &self.form.bucket).max(1_000).required()
    }

    fn key_field(&self) -> Field {
        let field = self.problems.field("access-key-id", Text::say("connections-key"), &self.form.access_key_id);
        field.hint(Text::say("connections-key-hint")).max(1_000)
    }

    fn secret_key_field(&self) -> Field {
        let field = self.problems.field("secret-access-key", Text::say("connections-secret-key"), "");
        field.hint(Text::say("connections-secret-hint")).max(16_000).kind("password")
    }

    fn session_token_field(&self) -> Field {
        let field = self.problems.field("session-token", Text::say("connections-session-token"), "");
        field.hint(Text::say("connections-session-token-hint")).max(16_000).kind("password")
    }

    fn host_field(&self) -> Field {
        self.problems.field("host", Text::say("connections-host"), &self.form.host).max(1_000).required()
    }

    fn port_field(&self) -> Field {
        self.problems.field("port", Text::say("connections-port"), &self.form.port).max(5)
    }

    fn database_field(&self) -> Field {
        self.problems.field("database", Text::say("connections-database"), &self.form.database).max(1_000).required()
    }

    fn user_field(&self) -> Field {
        let field = self.problems.field("database-user", Text::say("connections-user"), &self.form.user);
        field.hint(Text::say("connections-user-hint")).max(1_000).required()
    }

    fn password_field(&self) -> Field {
        let field = self.problems.field("password", Text::say("connections-password"), "");
        field.hint(Text::say("connections-secret-hint")).max(16_000).kind("password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn each_kind_has_its_fields() {
        let page = ConnectionPage::sample_s3();
        let html = render(&page);
        let s3 = form(&html, "/p/suzhou/connections").expect("the form");
        assert!(s3.contains("name=\"kind\" value=\"s3\"") && s3.contains("name=\"bucket\"") && !s3.contains("name=\"host\""));
        assert!(s3.contains("name=\"secret-access-key\" type=\"password\" value=\"\""), "secrets do not come out");
        let html = render(&ConnectionPage::sample_postgres());
        let postgres = form(&html, "/p/suzhou/connections").expect("the form");
        assert!(postgres.contains("name=\"host\"") && !postgres.contains("name=\"bucket\""));
        assert!(postgres.contains("name=\"name\" value=\"warehouse\""), "its name stays");
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = ConnectionPage::sample_postgres();
        page.form.name = HOSTILE.into();
        page.form.host = HOSTILE.into();
        page.problems.add("host", Text::plain(HOSTILE));
        render_hostile(&page);
    }
}
