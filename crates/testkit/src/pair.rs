//! Two nodes that trade.

use crate::{
    node::{Options, TestNode},
    share::{Access, Share},
    tables,
};
use serde_json::{Value, json};

/// A provider and a consumer.
pub struct TestPair {
    /// Publishes.
    pub provider: TestNode,
    /// Asks.
    pub consumer: TestNode,
}

impl TestPair {
    /// Starts two plain nodes.
    pub async fn start() -> Self {
        Self::of("provider", "consumer").await
    }

    /// Starts two nodes.
    pub async fn of(provider: impl Into<Options>, consumer: impl Into<Options>) -> Self {
        let (provider, consumer) = tokio::join!(TestNode::start(provider), TestNode::start(consumer));
        Self { provider, consumer }
    }

    /// Two nodes, and the table `wind` published with an open offer.
    pub async fn with_wind() -> Self {
        let pair = Self::start().await;
        pair.provider.publish("wind", tables::WIND, &[]).await;
        pair
    }

    /// Stops both.
    pub async fn shutdown(self) {
        tokio::join!(self.provider.shutdown(), self.consumer.shutdown());
    }

    /// Begins a negotiation as the consumer and gives its id.
    pub async fn begin(&self, product: &str) -> String {
        self.begin_with(json!({"product": product})).await
    }

    /// Begins a negotiation with further members of the request (`offer`, `purpose`).
    pub async fn begin_with(&self, mut body: Value) -> String {
        body["peer"] = json!(self.provider.did);
        let begun = self.consumer.post("/negotiations", &body).await.must(201);
        begun["negotiationId"].as_str().expect("an id").to_owned()
    }

    /// Negotiates until it is final; gives the consumer's view.
    pub async fn negotiate(&self, product: &str) -> Value {
        let id = self.begin(product).await;
        self.consumer.settled(&id).await
    }

    /// Negotiates to FINALIZED; gives the agreement's id.
    pub async fn agree(&self, product: &str) -> String {
        let done = self.negotiate(product).await;
        assert_eq!(done["state"], "FINALIZED", "{done}");
        done["agreementId"].as_str().expect("an agreement").to_owned()
    }

    /// Access to the data of an agreement.
    pub async fn access(&self, agreement: &str) -> Access {
        let answer = self.consumer.post(&format!("/agreements/{agreement}/access"), &json!({"waitSeconds": 30})).await.must(200);
        let text = |v: &Value| v.as_str().expect("a text").to_owned();
        assert_eq!(answer["tables"].as_array().map(Vec::len), Some(1), "{answer}");
        Access {
            transfer: text(&answer["transferId"]),
            share: Share::new(&text(&answer["profile"]["endpoint"]), &text(&answer["profile"]["bearerToken"])),
            table: text(&answer["tables"][0]),
        }
    }

    /// The provider's id of the transfer that the consumer knows by this one.
    pub async fn provider_transfer(&self, consumer_transfer: &str) -> String {
        self.provider.by_peer_pid("transfers", consumer_transfer).await["id"].as_str().expect("an id").to_owned()
    }

    /// The provider's view of the negotiation that the consumer knows by this id.
    pub async fn provider_negotiation(&self, consumer_negotiation: &str) -> Value {
        let row = self.provider.by_peer_pid("negotiations", consumer_negotiation).await;
        self.provider.settled(row["id"].as_str().expect("an id")).await
    }
}
