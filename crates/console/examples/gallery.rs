//! Renders every page with sample values into a folder, to be looked at:
//! `cargo run -p fondaco-console --example gallery -- FOLDER [LOCALE]`, where LOCALE is `en` or `zh`.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Context;
use fondaco_console::samples::gallery;
use fondaco_console::{AssetFile, Locale, asset_url};

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("usage: gallery FOLDER [LOCALE]")?);
    let locale = match arguments.next() {
        Some(code) => Locale::from_code(&code).context("LOCALE is en or zh")?,
        None => Locale::En,
    };
    fs::create_dir_all(&folder)?;
    for file in AssetFile::ALL {
        fs::write(folder.join(file.name()), file.asset().bytes)?;
    }
    let pages = gallery(locale)?;
    for (name, html) in &pages {
        let mut html = html.clone();
        for file in AssetFile::ALL {
            html = html.replace(asset_url(file), file.name());
        }
        fs::write(folder.join(name).with_extension("html"), html)?;
    }
    println!("{} pages in {}", pages.len(), folder.display());
    Ok(())
}
