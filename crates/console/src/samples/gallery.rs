//! Every page in its states, rendered with its sample values.

use crate::pages::{
    AgreementPage, AgreementsPage, CatalogPage, ConnectionPage, ConnectionsPage, ErrorPage, EvidenceCheckPage, EvidencePage,
    EvidencePiecePage, FirstRowsPage, HomePage, LineagePage, LoginPage, LoginProblem, NegotiationPage, NegotiationsPage, NodePage,
    NotFoundPage, PeerPage, PeersPage, PeoplePage, ProductPage, ProductsPage, PublicationsPage, PublishDescribePage, PublishReviewPage,
    PublishSourcePage, PublishTermsPage, RulesPage, TimelinePage, TokensPage, TransferPage, TransfersPage, WaitingPage,
};
use crate::view::Span;
use crate::{Locale, Page, Text};

/// The pages by a name of each, in a language.
///
/// # Errors
/// Formatting failed, which no value can cause.
pub fn gallery(locale: Locale) -> Result<Vec<(&'static str, String)>, askama::Error> {
    let mut gallery = Gallery { locale, pages: Vec::new() };
    gallery.add("login", LoginPage::sample())?;
    let problem = |problem| LoginPage { problem: Some(problem), ..LoginPage::sample() };
    gallery.add("login-wrong", problem(LoginProblem::Wrong))?;
    gallery.add("login-throttled", problem(LoginProblem::Throttled { wait: Span { seconds: 900 } }))?;
    gallery.add("login-expired", problem(LoginProblem::Expired))?;
    gallery.add("home", HomePage::sample())?;
    gallery.add("home-empty", HomePage::sample_empty())?;
    gallery.add("products", ProductsPage::sample())?;
    gallery.add("products-empty", ProductsPage { products: Vec::new(), ..ProductsPage::sample() })?;
    gallery.add("product", ProductPage::sample())?;
    gallery.add("product-peer", ProductPage::sample_peer())?;
    gallery.add("product-peer-bare", ProductPage { version: None, offers: Vec::new(), ..ProductPage::sample_peer() })?;
    gallery.add("peers", PeersPage::sample())?;
    let problem = Text::say("error-advised")
        .with(
            "problem",
            Text::say("error-problem").with("title", Text::of("error", "FDC-2001")).with("message", "\"hefei\" is no did:web."),
        )
        .with("advice", Text::say("advice-address"));
    gallery.add("peers-empty", PeersPage { peers: Vec::new(), address: "hefei".into(), problem: Some(problem), ..PeersPage::sample() })?;
    gallery.add("catalog", CatalogPage::sample())?;
    gallery.add("catalog-narrowed", CatalogPage::sample_narrowed())?;
    let mut nothing = CatalogPage { cards: Vec::new(), ..CatalogPage::sample() };
    nothing.paging.pages = 1;
    gallery.add("catalog-nothing", nothing.clone())?;
    gallery.add("catalog-no-match", CatalogPage { list: nothing.list.clone().with("q", "unicorns"), ..nothing.clone() })?;
    gallery.add("catalog-no-peers", CatalogPage { copies: Vec::new(), facets: Vec::new(), ..nothing })?;
    gallery.add("peer", PeerPage::sample())?;
    let bare =
        PeerPage { products: Vec::new(), negotiations: Vec::new(), agreements: Vec::new(), transfers: Vec::new(), ..PeerPage::sample() };
    gallery.add("peer-bare", bare)?;
    gallery.add("waiting", WaitingPage::sample())?;
    gallery.add("waiting-none", WaitingPage { rows: Vec::new(), ..WaitingPage::sample() })?;
    gallery.add("negotiations", NegotiationsPage::sample())?;
    gallery.add("negotiations-empty", NegotiationsPage { negotiations: Vec::new(), ..NegotiationsPage::sample() })?;
    gallery.add("negotiation", NegotiationPage::sample())?;
    gallery.add("negotiation-waiting", NegotiationPage::sample_waiting())?;
    gallery.add("negotiation-countered", NegotiationPage::sample_countered())?;
    gallery.add("negotiation-refused", NegotiationPage::sample_refused())?;
    gallery.add("negotiation-terminated", NegotiationPage::sample_terminated())?;
    gallery.add("agreements", AgreementsPage::sample())?;
    gallery.add("agreements-empty", AgreementsPage { agreements: Vec::new(), ..AgreementsPage::sample() })?;
    gallery.add("agreement", AgreementPage::sample())?;
    gallery.add("agreement-available", AgreementPage::sample_available())?;
    gallery.add("agreement-provider", AgreementPage::sample_provider())?;
    gallery.add("agreement-ending", AgreementPage::sample_ending())?;
    gallery.add("first-rows", FirstRowsPage::sample())?;
    gallery.add("first-rows-offer", FirstRowsPage::sample_offer())?;
    let nothing = Some(Text::say("first-rows-none"));
    gallery.add("first-rows-nothing", FirstRowsPage { alternatives: Vec::new(), nothing, ..FirstRowsPage::sample() })?;
    gallery.add("lineage", LineagePage::sample())?;
    gallery.add("lineage-cut", LineagePage { cut: true, ..LineagePage::sample() })?;
    gallery.add("rules", RulesPage::sample())?;
    gallery.add("rules-offer", RulesPage::sample_offer())?;
    gallery.add("transfers", TransfersPage::sample())?;
    gallery.add("transfers-empty", TransfersPage { transfers: Vec::new(), ..TransfersPage::sample() })?;
    gallery.add("transfer", TransferPage::sample())?;
    gallery.add("evidence", EvidencePage::sample())?;
    gallery.add("evidence-agreement", EvidencePage { agreement: Some("agr_1".into()), rows: Vec::new(), ..EvidencePage::sample() })?;
    gallery.add("evidence-piece", EvidencePiecePage::sample())?;
    gallery.add("evidence-piece-erased", EvidencePiecePage { document_json: None, place: None, ..EvidencePiecePage::sample() })?;
    gallery.add("evidence-check", EvidenceCheckPage::sample())?;
    gallery.add("evidence-check-faulty", EvidenceCheckPage::sample_faulty())?;
    gallery.add("timeline", TimelinePage::sample())?;
    gallery.add("timeline-faulty", TimelinePage::sample_faulty())?;
    let mut audited = AgreementPage::sample();
    audited.layout.audits = true;
    gallery.add("agreement-audited", audited)?;
    gallery.add("people", PeoplePage::sample())?;
    let problem =
        Some(Text::say("error-problem").with("title", Text::of("error", "FDC-1002")).with("message", "The old password is wrong."));
    gallery.add("people-own", PeoplePage { people: None, created: None, password_problem: problem, ..PeoplePage::sample() })?;
    gallery.add("tokens", TokensPage::sample_created())?;
    gallery.add("tokens-empty", TokensPage { tokens: Vec::new(), ..TokensPage::sample() })?;
    gallery.add("node", NodePage::sample())?;
    gallery.add("node-well", NodePage::sample_well())?;
    gallery.add("publications", PublicationsPage::sample())?;
    gallery.add("publications-empty", PublicationsPage { publications: Vec::new(), ..PublicationsPage::sample() })?;
    gallery.add("publish-source", PublishSourcePage::sample())?;
    gallery.add("publish-source-running", PublishSourcePage::sample_running())?;
    gallery.add("publish-source-failed", PublishSourcePage::sample_failed())?;
    gallery.add("publish-describe", PublishDescribePage::sample())?;
    gallery.add("publish-describe-problems", PublishDescribePage::sample_problems())?;
    gallery.add("publish-terms", PublishTermsPage::sample())?;
    gallery.add("publish-terms-open", PublishTermsPage::sample_open())?;
    gallery.add("publish-review", PublishReviewPage::sample())?;
    gallery.add("connections", ConnectionsPage::sample())?;
    gallery.add("connections-empty", ConnectionsPage { connections: Vec::new(), checked: None, ..ConnectionsPage::sample() })?;
    gallery.add("connection-s3", ConnectionPage::sample_s3())?;
    gallery.add("connection-postgres", ConnectionPage::sample_postgres())?;
    gallery.add("error", ErrorPage::sample())?;
    gallery.add("not-found", NotFoundPage::sample())?;
    Ok(gallery.pages)
}

struct Gallery {
    locale: Locale,
    pages: Vec<(&'static str, String)>,
}

impl Gallery {
    fn add(&mut self, name: &'static str, mut page: impl Page) -> Result<(), askama::Error> {
        page.layout_mut().locale = self.locale;
        self.pages.push((name, page.html()?));
        Ok(())
    }
}
