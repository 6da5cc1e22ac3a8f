//! Arrow Flight SQL: the same statements and answers by remote procedure call, for drivers (ADBC, JDBC) and the tools that
//! use them.
//!
//! A call says whose table it is and by what right: `Basic` with the participant's name and the access token, or `Bearer
//! NAME/TOKEN`, which the handshake hands out. Tickets and prepared statements are statements under a seal, good for the
//! token they were given to; nothing is kept between calls.

use super::{Access, Accesses, Limits, Queries, Refusal, Sort, Table, answer::batch_bytes, session::SCHEMA};
use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use arrow_flight::{
    Action, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, IpcMessage, SchemaAsIpc, Ticket,
    encode::FlightDataEncoderBuilder,
    error::FlightError,
    flight_service_server::FlightServiceServer,
    sql::{
        ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, CommandGetCatalogs,
        CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
        CommandPreparedStatementQuery, CommandStatementQuery, Nullable, ProstMessageExt, Searchable, SqlInfo, TicketStatementQuery,
        XdbcDataType,
        metadata::{SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder},
        server::FlightSqlService,
    },
};
use aws_lc_rs::hmac;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};
use prost::Message;
use std::{pin::Pin, sync::Arc};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};

/// Where the service is mounted: gRPC knows no other place.
pub const PATH: &str = "/arrow.flight.protocol.FlightService/{method}";
/// Bytes of a seal: HMAC-SHA256.
const SEAL_BYTES: usize = 32;
/// The one sort of table.
const TABLE_TYPE: &str = "BASE TABLE";

/// Base64 with padding or without: the stock driver leaves it out.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

type Rows = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;
type Handshakes = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;

/// The service.
#[derive(Clone)]
pub struct Flight {
    accesses: Arc<dyn Accesses>,
    queries: Arc<Queries>,
    key: hmac::Key,
    about: Arc<About>,
}

struct About {
    server: SqlInfoData,
    types: XdbcTypeInfoData,
}

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flight(..)")
    }
}

/// A caller.
struct Caller {
    access: Arc<dyn Access>,
    token: String,
}

impl Flight {
    /// A service of this version of the program. `key` seals tickets.
    ///
    /// # Errors
    /// When what it says of itself cannot be put into Arrow.
    pub fn new(accesses: Arc<dyn Accesses>, queries: Arc<Queries>, key: &[u8], version: &str) -> Result<Self, arrow::error::ArrowError> {
        let about = Arc::new(About { server: server(version).map_err(flight_failed)?, types: types().map_err(flight_failed)? });
        Ok(Self { accesses, queries, key: hmac::Key::new(hmac::HMAC_SHA256, key), about })
    }

    /// The service for an HTTP router, at [`PATH`].
    pub fn service(self) -> FlightServiceServer<Self> {
        FlightServiceServer::new(self)
    }

    async fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let (participant, token) = credentials(metadata)?;
        let access = self.accesses.open(&participant, &token).await.map_err(status)?;
        Ok(Caller { access, token })
    }

    async fn table(&self, metadata: &MetadataMap) -> Result<Table, Status> {
        self.caller(metadata).await?.access.table().await.map_err(status)
    }

    fn seal(&self, token: &str, sql: &str) -> Vec<u8> {
        let mac = hmac::sign(&self.key, &sealed(token, sql));
        [mac.as_ref(), sql.as_bytes()].concat()
    }

    /// The statement of a ticket of this token's.
    fn unseal(&self, token: &str, ticket: &[u8]) -> Result<String, Status> {
        let refused = || Status::invalid_argument("The ticket was not issued for this token.");
        let (mac, sql) = ticket.split_at_checked(SEAL_BYTES).ok_or_else(refused)?;
        let sql = std::str::from_utf8(sql).map_err(|_| refused())?;
        hmac::verify(&self.key, &sealed(token, sql), mac).map_err(|_| refused())?;
        Ok(sql.to_owned())
    }

    async fn describe(&self, caller: &Caller, sql: &str) -> Result<SchemaRef, Status> {
        let table = caller.access.table().await.map_err(status)?;
        self.queries.describe(table, sql.to_owned(), Limits::default()).await.map_err(|e| status(e.into()))
    }

    async fn answer(&self, caller: Caller, sql: String) -> Result<Response<Rows>, Status> {
        let answer = caller.access.run(sql).await.map_err(status)?;
        let schema = Arc::clone(answer.schema());
        let rows = stream::try_unfold((answer, caller), |(mut answer, caller)| async move {
            let next = tokio::select! {
                biased;
                () = caller.access.closed() => return Err(FlightError::from(Status::permission_denied("access has ended"))),
                next = answer.next() => next,
            };
            let Some(batch) = next else { return Ok(None) };
            let batch = batch.map_err(|e| FlightError::from(status(e.into())))?;
            let bytes = batch_bytes(&batch);
            caller.access.let_out(bytes, batch.num_rows() as u64).await.map_err(|e| FlightError::from(status(e)))?;
            Ok(Some((batch, (answer, caller))))
        });
        Ok(Response::new(encoded(schema, rows)))
    }
}

/// No two statements and tokens give the same bytes: a token has no zero.
fn sealed(token: &str, sql: &str) -> Vec<u8> {
    [token.as_bytes(), &[0], sql.as_bytes()].concat()
}

fn encoded(schema: SchemaRef, rows: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static) -> Rows {
    Box::pin(FlightDataEncoderBuilder::new().with_schema(schema).build(rows).map_err(Status::from))
}

/// One batch that describes something.
fn described(batch: Result<RecordBatch, FlightError>) -> Result<Response<Rows>, Status> {
    let batch = batch.map_err(Status::from)?;
    Ok(Response::new(encoded(batch.schema(), stream::iter([Ok(batch)]))))
}

/// Where an answer is to be had: here, by this ticket.
fn info(schema: &Schema, ticket: Vec<u8>, descriptor: FlightDescriptor) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
    let info = FlightInfo::new().try_with_schema(schema).map_err(|e| status(internal(&e)))?;
    Ok(Response::new(info.with_endpoint(endpoint).with_descriptor(descriptor)))
}

/// For what needs no ticket of its own: the command is asked again.
fn again(schema: &Schema, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
    let descriptor = request.into_inner();
    info(schema, descriptor.cmd.to_vec(), descriptor)
}

/// Nothing of the inside is told.
fn internal(_: &arrow::error::ArrowError) -> Refusal {
    Refusal { sort: Sort::Internal, message: "The node failed.".into() }
}

fn flight_failed(e: FlightError) -> arrow::error::ArrowError {
    arrow::error::ArrowError::ExternalError(Box::new(e))
}

fn status(refusal: Refusal) -> Status {
    let Refusal { sort, message } = refusal;
    match sort {
        Sort::Unauthenticated => Status::unauthenticated(message),
        Sort::Denied => Status::permission_denied(message),
        Sort::NotFound => Status::not_found(message),
        Sort::Invalid => Status::invalid_argument(message),
        Sort::Exhausted => Status::resource_exhausted(message),
        Sort::Internal => Status::internal(message),
    }
}

/// The participant and the token of a call.
fn credentials(metadata: &MetadataMap) -> Result<(String, String), Status> {
    let refused = || Status::unauthenticated("Sign in with the participant's name and the access token, or send Bearer NAME/TOKEN.");
    let header = metadata.get("authorization").and_then(|v| v.to_str().ok()).ok_or_else(refused)?;
    let (scheme, value) = header.split_once(' ').ok_or_else(refused)?;
    let pair = if scheme.eq_ignore_ascii_case("basic") {
        let decoded = BASE64.decode(value.trim()).ok().and_then(|b| String::from_utf8(b).ok()).ok_or_else(refused)?;
        decoded.split_once(':').map(|(name, token)| (name.to_owned(), token.to_owned()))
    } else if scheme.eq_ignore_ascii_case("bearer") {
        value.trim().split_once('/').map(|(name, token)| (name.to_owned(), token.to_owned()))
    } else {
        None
    };
    pair.ok_or_else(refused)
}

fn server(version: &str) -> Result<SqlInfoData, FlightError> {
    let mut builder = SqlInfoDataBuilder::new();
    builder.append(SqlInfo::FlightSqlServerName, "fondaco");
    builder.append(SqlInfo::FlightSqlServerVersion, version);
    builder.append(SqlInfo::FlightSqlServerArrowVersion, "1.5");
    builder.append(SqlInfo::FlightSqlServerReadOnly, true);
    builder.append(SqlInfo::FlightSqlServerSql, true);
    builder.append(SqlInfo::FlightSqlServerSubstrait, false);
    builder.append(SqlInfo::FlightSqlServerCancel, false);
    builder.append(SqlInfo::SqlDdlCatalog, false);
    builder.append(SqlInfo::SqlDdlSchema, false);
    builder.append(SqlInfo::SqlDdlTable, false);
    builder.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    builder.build()
}

/// The types that columns have.
fn types() -> Result<XdbcTypeInfoData, FlightError> {
    let mut builder = XdbcTypeInfoDataBuilder::new();
    let quoted = Some("'".to_owned());
    for (name, data_type, size, quote) in [
        ("BOOLEAN", XdbcDataType::XdbcBit, 1, None),
        ("TINYINT", XdbcDataType::XdbcTinyint, 8, None),
        ("SMALLINT", XdbcDataType::XdbcSmallint, 16, None),
        ("INTEGER", XdbcDataType::XdbcInteger, 32, None),
        ("BIGINT", XdbcDataType::XdbcBigint, 64, None),
        ("REAL", XdbcDataType::XdbcReal, 24, None),
        ("DOUBLE", XdbcDataType::XdbcDouble, 53, None),
        ("DECIMAL", XdbcDataType::XdbcDecimal, 38, None),
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, quoted.clone()),
        ("VARBINARY", XdbcDataType::XdbcVarbinary, i32::MAX, quoted.clone()),
        ("DATE", XdbcDataType::XdbcDate, 10, quoted.clone()),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 26, quoted),
    ] {
        builder.append(XdbcTypeInfo {
            type_name: name.into(),
            data_type,
            column_size: Some(size),
            literal_prefix: quote.clone(),
            literal_suffix: quote,
            create_params: None,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: true,
            searchable: Searchable::Full,
            unsigned_attribute: Some(false),
            fixed_prec_scale: false,
            auto_increment: Some(false),
            local_type_name: Some(name.into()),
            minimum_scale: None,
            maximum_scale: None,
            sql_data_type: data_type,
            datetime_subcode: None,
            num_prec_radix: Some(2),
            interval_precision: None,
        });
    }
    builder.build()
}

#[tonic::async_trait]
impl FlightSqlService for Flight {
    type FlightService = Self;

    async fn do_handshake(&self, request: Request<Streaming<HandshakeRequest>>) -> Result<Response<Handshakes>, Status> {
        let (participant, token) = credentials(request.metadata())?;
        self.accesses.open(&participant, &token).await.map_err(status)?;
        let bearer = format!("{participant}/{token}");
        let answer = HandshakeResponse { protocol_version: 0, payload: Bytes::from(bearer.clone()) };
        let mut response: Response<Handshakes> = Response::new(Box::pin(stream::iter([Ok(answer)])));
        let header = format!("Bearer {bearer}").parse().map_err(|_| Status::unauthenticated("The credentials cannot be used."))?;
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let caller = self.caller(request.metadata()).await?;
        let schema = self.describe(&caller, &query.query).await?;
        let ticket = TicketStatementQuery { statement_handle: self.seal(&caller.token, &query.query).into() };
        info(&schema, ticket.as_any().encode_to_vec(), request.into_inner())
    }

    async fn do_get_statement(&self, ticket: TicketStatementQuery, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        let caller = self.caller(request.metadata()).await?;
        let sql = self.unseal(&caller.token, &ticket.statement_handle)?;
        self.answer(caller, sql).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let caller = self.caller(request.metadata()).await?;
        let schema = self.describe(&caller, &query.query).await?;
        let message = |schema: &Schema| -> Result<Bytes, Status> {
            let options = arrow::ipc::writer::IpcWriteOptions::default();
            let IpcMessage(bytes) =
                SchemaAsIpc::new(schema, &options).try_into().map_err(|e: arrow::error::ArrowError| status(internal(&e)))?;
            Ok(bytes)
        };
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: self.seal(&caller.token, &query.query).into(),
            dataset_schema: message(&schema)?,
            parameter_schema: message(&Schema::empty())?,
        })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let caller = self.caller(request.metadata()).await?;
        let sql = self.unseal(&caller.token, &query.prepared_statement_handle)?;
        let schema = self.describe(&caller, &sql).await?;
        again(&schema, request)
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        let caller = self.caller(request.metadata()).await?;
        let sql = self.unseal(&caller.token, &query.prepared_statement_handle)?;
        self.answer(caller, sql).await
    }

    /// Nothing is kept, so nothing is closed.
    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        self.caller(request.metadata()).await.map(drop)
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.caller(request.metadata()).await?;
        again(&query.into_builder().schema(), request)
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        let table = self.table(request.metadata()).await?;
        let mut builder = query.into_builder();
        builder.append(&table.catalog);
        described(builder.build())
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.caller(request.metadata()).await?;
        again(&query.into_builder().schema(), request)
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        let table = self.table(request.metadata()).await?;
        let mut builder = query.into_builder();
        builder.append(&table.catalog, SCHEMA);
        described(builder.build())
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.caller(request.metadata()).await?;
        again(&query.into_builder().schema(), request)
    }

    async fn do_get_tables(&self, query: CommandGetTables, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        let table = self.table(request.metadata()).await?;
        let mut builder = query.into_builder();
        let schema = table.columns();
        builder.append(&table.catalog, SCHEMA, &table.name, TABLE_TYPE, &schema).map_err(Status::from)?;
        described(builder.build())
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.caller(request.metadata()).await?;
        again(&query.into_builder().schema(), request)
    }

    async fn do_get_table_types(&self, query: CommandGetTableTypes, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        self.caller(request.metadata()).await?;
        let mut builder = query.into_builder();
        builder.append(TABLE_TYPE);
        described(builder.build())
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.caller(request.metadata()).await?;
        again(&query.into_builder(&self.about.server).schema(), request)
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        self.caller(request.metadata()).await?;
        described(query.into_builder(&self.about.server).build())
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.caller(request.metadata()).await?;
        again(&query.into_builder(&self.about.types).schema(), request)
    }

    async fn do_get_xdbc_type_info(&self, query: CommandGetXdbcTypeInfo, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        self.caller(request.metadata()).await?;
        described(query.into_builder(&self.about.types).build())
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Option<(String, String)> {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", header.parse().expect("a header"));
        credentials(&metadata).ok()
    }

    #[test]
    fn credentials_come_in_three_forms() {
        let expected = Some(("acme".to_owned(), "fda_t.mac".to_owned()));
        // "acme:fda_t.mac", as `base64` writes it, and without its padding.
        assert_eq!(read("Basic YWNtZTpmZGFfdC5tYWM="), expected);
        assert_eq!(read("basic YWNtZTpmZGFfdC5tYWM"), expected);
        assert_eq!(read("Bearer acme/fda_t.mac"), expected);
        for wrong in ["Bearer fda_t.mac", "Basic !", "Basic YWNtZQ==", "Digest x", "x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(credentials(&MetadataMap::new()).is_err());
    }
}
