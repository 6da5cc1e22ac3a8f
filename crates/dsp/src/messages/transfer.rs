//! Transfer process messages
//! ([DSP 2025-1, 8](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/#transfer-process-protocol)).

use super::{normalised, pids_message, put, put_list, put_some, read::Object, reasons_message, start, state_message, words};
use crate::{
    error::{WireError, join},
    limits::{ENDPOINT_PROPERTIES_MAX, ENDPOINT_VALUE_MAX_CHARS, ID_MAX_CHARS, Limits, NAME_MAX_CHARS, URL_MAX_CHARS},
};
use serde_json::{Map, Value};
use std::fmt;

words! {
    /// The states of a transfer process.
    TransferState {
        /// The consumer asked for access.
        Requested = "REQUESTED",
        /// Access is open.
        Started = "STARTED",
        /// Access is closed for now.
        Suspended = "SUSPENDED",
        /// Done.
        Completed = "COMPLETED",
        /// Ended before it was done.
        Terminated = "TERMINATED",
    }
}

/// Where data is fetched from (in a start message) or delivered to (in a request).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataAddress {
    /// What kind of endpoint it is, for example `https://w3id.org/idsa/v4.1/HTTP`.
    pub endpoint_type: String,
    /// Its address.
    pub endpoint: Option<String>,
    /// Whatever else is needed: `authorization`, `authType`…
    pub properties: Vec<EndpointProperty>,
}

/// A property of a data address. Values may be credentials, so `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointProperty {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl fmt::Debug for EndpointProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointProperty").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The namespace in which Eclipse EDC writes the names of properties that DSP names plainly, and `endpoint`.
pub const EDC_NAMESPACE: &str = "https://w3id.org/edc/v0.0.1/ns/";

impl DataAddress {
    /// The value of a property, by its plain name or by EDC's.
    pub fn property(&self, name: &str) -> Option<&str> {
        let is = |p: &&EndpointProperty| p.name == name || p.name.strip_prefix(EDC_NAMESPACE) == Some(name);
        self.properties.iter().find(is).map(|p| p.value.as_str())
    }

    /// Where the data is: the member `endpoint`, or the property that EDC puts in its place.
    pub fn location(&self) -> Option<&str> {
        self.endpoint.as_deref().or_else(|| self.property("endpoint"))
    }

    fn read(value: &Value, path: String) -> Result<Self, WireError> {
        let object = Object::at(value, path)?;
        object.is_a("DataAddress")?;
        let items = object.list("endpointProperties")?;
        if items.len() > ENDPOINT_PROPERTIES_MAX {
            return Err(object.error("endpointProperties", format!("At most {ENDPOINT_PROPERTIES_MAX} properties are read.")));
        }
        let at = object.path("endpointProperties");
        let properties = items
            .iter()
            .enumerate()
            .map(|(i, item)| {
                let property = Object::at(item, join(&at, i))?;
                let name = property.text("name", NAME_MAX_CHARS)?;
                property.need("value")?;
                let value = property.opt_text("value", ENDPOINT_VALUE_MAX_CHARS)?.unwrap_or_default();
                Ok(EndpointProperty { name, value })
            })
            .collect::<Result<_, WireError>>()?;
        Ok(Self {
            endpoint_type: object.text("endpointType", URL_MAX_CHARS)?,
            endpoint: object.opt_text("endpoint", URL_MAX_CHARS)?,
            properties,
        })
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        put(&mut map, "@type", "DataAddress");
        put(&mut map, "endpointType", &self.endpoint_type);
        put_some(&mut map, "endpoint", self.endpoint.as_deref());
        let properties = self.properties.iter().map(|p| {
            let mut map = Map::new();
            put(&mut map, "@type", "EndpointProperty");
            put(&mut map, "name", &p.name);
            put(&mut map, "value", &p.value);
            map.into()
        });
        put_list(&mut map, "endpointProperties", properties.collect());
        map.into()
    }
}

fn data_address(object: &Object<'_>) -> Result<Option<DataAddress>, WireError> {
    object.get("dataAddress").map(|v| DataAddress::read(v, object.path("dataAddress"))).transpose()
}

/// The consumer asks for access under an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequestMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// The consumer's id of the process.
    pub consumer_pid: String,
    /// The agreement it rests on.
    pub agreement_id: String,
    /// A `format` of the dataset's distributions.
    pub format: String,
    /// Where to deliver, for formats that push.
    pub data_address: Option<DataAddress>,
    /// Where the provider is to send its messages.
    pub callback_address: String,
}

impl TransferRequestMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "TransferRequestMessage";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        Ok(Self {
            message_id: object.opt_id("@id")?,
            consumer_pid: object.id("consumerPid")?,
            agreement_id: object.id("agreementId")?,
            format: object.text("format", ID_MAX_CHARS)?,
            data_address: data_address(&object)?,
            callback_address: object.url("callbackAddress")?,
        })
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put(&mut map, "consumerPid", &self.consumer_pid);
        put(&mut map, "agreementId", &self.agreement_id);
        put(&mut map, "format", &self.format);
        if let Some(address) = &self.data_address {
            map.insert("dataAddress".to_owned(), address.to_json());
        }
        put(&mut map, "callbackAddress", &self.callback_address);
        map.into()
    }
}

/// The provider opens access, or either side resumes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferStartMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// The provider's id of the process.
    pub provider_pid: String,
    /// The consumer's id of the process.
    pub consumer_pid: String,
    /// Where to fetch, for formats that pull.
    pub data_address: Option<DataAddress>,
}

impl TransferStartMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "TransferStartMessage";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        Ok(Self {
            message_id: object.opt_id("@id")?,
            provider_pid: object.id("providerPid")?,
            consumer_pid: object.id("consumerPid")?,
            data_address: data_address(&object)?,
        })
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put(&mut map, "providerPid", &self.provider_pid);
        put(&mut map, "consumerPid", &self.consumer_pid);
        if let Some(address) = &self.data_address {
            map.insert("dataAddress".to_owned(), address.to_json());
        }
        map.into()
    }
}

reasons_message! {
    /// Either side closes access for now.
    TransferSuspensionMessage, id
}

pids_message! {
    /// Either side says it is done.
    TransferCompletionMessage
}

reasons_message! {
    /// Either side ends it before it is done.
    TransferTerminationMessage, id
}

state_message! {
    /// Where a transfer stands: the answer to a request, a message or a `GET`.
    TransferProcess, TransferState
}

reasons_message! {
    /// Why a transfer message was refused. The pids are empty where no process is concerned.
    TransferError, id_or_empty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_show_in_debug() {
        let address = DataAddress {
            endpoint_type: "t".to_owned(),
            endpoint: None,
            properties: vec![EndpointProperty { name: "authorization".to_owned(), value: "S3CRET".to_owned() }],
        };
        let shown = format!("{address:?}");
        assert!(shown.contains("authorization") && !shown.contains("S3CRET"), "{shown}");
        assert_eq!(address.property("authorization"), Some("S3CRET"));
        assert_eq!(address.property("authType"), None);
    }
}
