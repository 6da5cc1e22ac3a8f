//! The profile file: whoever has it can read the table, so it is written whole or not at all, for its owner only.

use super::{
    super::{
        answer::Answer,
        failure::{Failure, Result},
        show::Fields,
    },
    Access,
};
use crate::identity::access_token::PREFIX;
use fondaco_console::format::python_literal;
use fondaco_core::{Code, Error};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::Path,
};

/// Writes the profile and says how to use it; with `oauth`, one whose client exchanges its credentials for tokens.
pub(super) fn write(file: &Path, access: &Access, oauth: bool) -> Result<Answer> {
    let profile = if oauth { client_credentials(access)? } else { access.profile.to_json() };
    if file.as_os_str() == "-" {
        let json: Value = serde_json::from_str(&profile).map_err(Error::internal_failure)?;
        return Ok(Answer::new(json, format!("{profile}\n")));
    }
    write_secret(file, format!("{profile}\n").as_bytes()).map_err(|e| Failure::file("Cannot write the profile", file, &e))?;
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let path = path.to_string_lossy();
    let json = json!({"transferId": access.transfer, "state": access.state, "profile": path, "tables": access.tables});
    Ok(Answer::new(json, words(&path, access)))
}

/// A profile of version 2 for OAuth with client credentials. The id is in the token that a node of this program gives.
fn client_credentials(access: &Access) -> Result<String> {
    let (endpoint, token) = (access.profile.endpoint.trim_end_matches('/'), &access.profile.bearer_token);
    let id = token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).map(|(id, _)| id).ok_or_else(|| {
        Failure::new(
            Code::Invalid,
            "The provider's node is of another kind, and it is not known whether it knows OAuth; leave --oauth out.",
        )
    })?;
    let profile = json!({
        "shareCredentialsVersion": 2,
        "type": "oauth_client_credentials",
        "endpoint": endpoint,
        "tokenEndpoint": format!("{endpoint}/oauth/token"),
        "clientId": id,
        "clientSecret": token,
    });
    Ok(serde_json::to_string_pretty(&profile).map_err(Error::internal_failure)?)
}

fn words(path: &str, access: &Access) -> String {
    let mut fields = Fields::default();
    fields
        .add("Profile", path)
        .add("", "Keep it secret: whoever has it can read the data.")
        .add("Valid until", access.profile.expiration_time.as_deref().unwrap_or("the transfer ends"))
        .add_lines("Table", &access.tables);
    let mut out = fields.render();
    out.push_str("\nRead it in Python (pip install delta-sharing):\n\n");
    for table in &access.tables {
        // python_literal escapes what a terminal would obey.
        let url = python_literal(&format!("{path}#{table}"));
        for line in ["import delta_sharing", &format!("data = delta_sharing.load_as_pandas({url})"), "print(data)"] {
            out.push_str("  ");
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Replaces a file by one with these bytes and mode 0600; a reader sees the old or the new one, never a part.
fn write_secret(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = file.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let temporary = file.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut new| {
        new.write_all(bytes)?;
        new.sync_all()
    });
    let outcome = written.and_then(|()| std::fs::rename(&temporary, file));
    if outcome.is_err() {
        // The first error is the one to report; what is left behind, if anything, is ours alone to read.
        let _ = std::fs::remove_file(&temporary);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_tables::delta_sharing::client::Profile;

    fn example() -> Access {
        Access {
            transfer: "trf_1".into(),
            state: "STARTED".into(),
            profile: Profile::new("http://127.0.0.1:7400/p/a/share", "fda_secret", None),
            tables: vec!["a.b.c".into()],
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_and_replaces_an_open_one() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("x.share");
        std::fs::write(&file, "old").expect("write");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("mode");
        let answer = write(&file, &example(), false).expect("written");
        assert_eq!(std::fs::metadata(&file).expect("meta").permissions().mode() & 0o777, 0o600);
        let kept = Profile::parse(&std::fs::read(&file).expect("read")).expect("profile");
        assert_eq!(kept, example().profile);
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
        assert!(!answer.text.contains("fda_secret"), "the token is in the file, not on the screen");
        assert!(answer.text.contains("x.share#a.b.c\")"));
    }

    #[test]
    fn a_dash_prints_the_profile_itself() {
        let refused = write(Path::new("-"), &example(), true);
        assert!(refused.is_err(), "the example's token is not one of ours");
        let access = Access { profile: Profile::new("https://h/p/a/share/", "fda_trf_1.x", None), ..example() };
        let text = client_credentials(&access).expect("a profile");
        for part in
            ["\"tokenEndpoint\": \"https://h/p/a/share/oauth/token\"", "\"clientId\": \"trf_1\"", "\"clientSecret\": \"fda_trf_1.x\""]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let answer = write(Path::new("-"), &example(), false).expect("printed");
        assert_eq!(Profile::parse(answer.text.as_bytes()).expect("profile"), example().profile);
        assert_eq!(answer.json.expect("json")["bearerToken"], "fda_secret");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let failed = write(&dir.path().join("no/x.share"), &example(), false).expect_err("no folder");
        assert!(failed.problem.detail.contains("no/x.share"));
    }
}
