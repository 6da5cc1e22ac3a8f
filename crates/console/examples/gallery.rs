//! Renders every page with sample values into a folder, to be looked at:
//! `cargo run -p fondaco-console --example gallery -- FOLDER`.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Context;
use fondaco_console::pages::{
    AgreementPage, AgreementsPage, CatalogPage, ErrorPage, HomePage, LoginPage, LoginProblem, NegotiationPage, NegotiationsPage, NodePage,
    NotFoundPage, PeersPage, ProductPage, ProductsPage, TokensPage, TransferPage, TransfersPage,
};
use fondaco_console::{AssetFile, Page, Text, asset_url};

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).context("usage: gallery FOLDER")?);
    fs::create_dir_all(&folder)?;
    for file in AssetFile::ALL {
        fs::write(folder.join(file.name()), file.asset().bytes)?;
    }
    let mut wrong = LoginPage::sample();
    wrong.problem = Some(LoginProblem::Wrong);
    let mut searched = CatalogPage::sample();
    searched.query = "unicorns".into();
    searched.cards.clear();
    searched.paging.pages = 1;
    let mut unasked = PeersPage::sample();
    unasked.peers.clear();
    unasked.address = "hefei".into();
    unasked.problem = Some(Text::plain("This is not an address of a peer. It begins with did:web: or with https://."));

    let pages: [(&str, &dyn AnyPage); 25] = [
        ("login", &LoginPage::sample()),
        ("login-wrong", &wrong),
        ("home", &HomePage::sample()),
        ("home-empty", &HomePage::sample_empty()),
        ("products", &ProductsPage::sample()),
        ("product", &ProductPage::sample()),
        ("product-peer", &ProductPage::sample_peer()),
        ("peers", &PeersPage::sample()),
        ("peers-empty", &unasked),
        ("catalog", &CatalogPage::sample()),
        ("catalog-empty", &searched),
        ("negotiations", &NegotiationsPage::sample()),
        ("negotiation", &NegotiationPage::sample()),
        ("negotiation-waiting", &NegotiationPage::sample_waiting()),
        ("negotiation-terminated", &NegotiationPage::sample_terminated()),
        ("agreements", &AgreementsPage::sample()),
        ("agreement", &AgreementPage::sample()),
        ("agreement-available", &AgreementPage::sample_available()),
        ("agreement-provider", &AgreementPage::sample_provider()),
        ("transfers", &TransfersPage::sample()),
        ("transfer", &TransferPage::sample()),
        ("tokens", &TokensPage::sample_created()),
        ("node", &NodePage::sample()),
        ("error", &ErrorPage::sample()),
        ("not-found", &NotFoundPage::sample()),
    ];
    for (name, page) in pages {
        let mut html = page.html()?;
        for file in AssetFile::ALL {
            html = html.replace(asset_url(file), file.name());
        }
        fs::write(folder.join(name).with_extension("html"), html)?;
    }
    println!("{} pages in {}", pages.len(), folder.display());
    Ok(())
}

/// `Page` as an object.
trait AnyPage {
    fn html(&self) -> anyhow::Result<String>;
}

impl<P: Page> AnyPage for P {
    fn html(&self) -> anyhow::Result<String> {
        Ok(Page::html(self)?)
    }
}
