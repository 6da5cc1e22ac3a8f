//! An engine of several workers: the same plans, cut into stages that workers run side by side and exchange rows between.
//!
//! The workers are of this process, each with a session and memory of its own. What is sealed goes to them as it is,
//! sealed: a worker runs a part of it and cannot look inside either.

use super::{
    Limits, SqlError, Table,
    engine::{Engine, Rows, run},
    sealed::SealedExec,
    session::runtime,
};
use arrow::array::RecordBatch;
use datafusion::{
    common::{
        DataFusionError, Result as DfResult, exec_datafusion_err,
        tree_node::{Transformed, TreeNode},
    },
    execution::{SessionState, SessionStateBuilder, TaskContext},
    physical_plan::{ExecutionPlan, metrics::ExecutionPlanMetricsSet},
};
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, DesiredTaskCountEvent, DesiredTaskCountEventResponse, DistributedExt, ExecuteTaskRequest,
    GetWorkerInfoRequest, GetWorkerInfoResponse, MaybeEncoded, NetworkBoundaryExt, ScaleUpLeafNodeEvent, ScaleUpLeafNodeEventResponse,
    SessionStateBuilderExt, SetPlanRequest, Worker, WorkerChannel, WorkerQueryContext, WorkerResolver, WorkerToCoordinatorMsg,
};
use futures::{StreamExt, stream::BoxStream};
use http::HeaderMap;
use std::sync::{Arc, OnceLock, Weak};
use url::Url;

/// Workers of this process.
#[derive(Clone, Copy, Debug)]
pub struct Distributed {
    /// How many workers.
    pub workers: usize,
    /// How many parts of a plan each runs side by side.
    pub threads: usize,
}

#[async_trait::async_trait]
impl Engine for Distributed {
    async fn begin(&self, table: &Table, sql: &str, limits: &Limits) -> Result<Rows, SqlError> {
        let failed = |e: DataFusionError| SqlError::Failed(e.to_string());
        let state = table.session(table.sealed(), limits, self.threads).map_err(failed)?;
        let state = coordinated(state, self.workers.max(1), limits).map_err(failed)?;
        run(table, &state, sql, limits).await
    }
}

/// The session of a statement, with workers that live as long as it.
fn coordinated(state: SessionState, workers: usize, limits: &Limits) -> DfResult<SessionState> {
    let place = |i: usize| Url::parse(&format!("http://worker-{i}/")).map_err(|e| DataFusionError::External(Box::new(e)));
    let urls = (0..workers).map(place).collect::<DfResult<Vec<_>>>()?;
    let all = Workers::default();
    let share = Limits { memory_bytes: limits.memory_bytes / workers, ..*limits };
    let worker = |url: &Url| {
        // They reach each other through the statement's session, which is what holds them.
        let all = Arc::downgrade(&all);
        let worker = Worker::from_session_builder(move |context: WorkerQueryContext| {
            let channels = Channels(all.clone());
            async move { Ok(context.builder.with_distributed_channel_resolver(channels).build()) }
        });
        Ok((url.clone(), worker.with_runtime_env(runtime(&share)?)))
    };
    let made = urls.iter().map(worker).collect::<DfResult<Vec<_>>>()?;
    all.get_or_init(|| made);
    let state = SessionStateBuilder::new_from_existing(state)
        .with_distributed_worker_resolver(Places(urls))
        .with_distributed_channel_resolver(Held(all))
        .with_distributed_planner()
        .with_distributed_desired_task_count_handler(tasks)
        .with_distributed_scale_up_leaf_node_handler(cut)
        .build();
    Ok(state)
}

/// Into how many parts what is sealed can be cut.
fn tasks(event: DesiredTaskCountEvent<'_>) -> Option<DfResult<DesiredTaskCountEventResponse>> {
    let sealed = event.plan.downcast_ref::<SealedExec>()?;
    let parts = sealed.properties().partitioning.partition_count();
    Some(Ok(if sealed.can_be_cut() { DesiredTaskCountEventResponse::desired(parts) } else { DesiredTaskCountEventResponse::maximum(1) }))
}

/// Cuts it.
fn cut(event: ScaleUpLeafNodeEvent<'_>) -> Option<DfResult<ScaleUpLeafNodeEventResponse>> {
    let sealed = event.plan.downcast_ref::<SealedExec>()?;
    Some(Ok(ScaleUpLeafNodeEventResponse::new(Arc::new(sealed.cut(event.task_count)))))
}

type Workers = Arc<OnceLock<Vec<(Url, Worker)>>>;

/// Where the workers are.
struct Places(Vec<Url>);

impl WorkerResolver for Places {
    fn get_urls(&self) -> DfResult<Vec<Url>> {
        Ok(self.0.clone())
    }
}

/// The way to the workers, for whoever holds them.
struct Held(Workers);

#[async_trait::async_trait]
impl ChannelResolver for Held {
    async fn get_worker_client_for_url(&self, url: &Url) -> DfResult<Box<dyn WorkerChannel>> {
        channel(&self.0, url)
    }
}

/// The way to the workers, for one of them.
struct Channels(Weak<OnceLock<Vec<(Url, Worker)>>>);

#[async_trait::async_trait]
impl ChannelResolver for Channels {
    async fn get_worker_client_for_url(&self, url: &Url) -> DfResult<Box<dyn WorkerChannel>> {
        let all = self.0.upgrade().ok_or_else(|| exec_datafusion_err!("the statement has ended"))?;
        channel(&all, url)
    }
}

fn channel(all: &Workers, url: &Url) -> DfResult<Box<dyn WorkerChannel>> {
    let found = all.get().into_iter().flatten().find(|(at, _)| at == url);
    let (_, worker) = found.ok_or_else(|| exec_datafusion_err!("no such worker"))?;
    Ok(Box::new(Channel(worker.clone())))
}

/// The same plan with none of the state of running it: tasks are handed one and the same, and each runs its own.
fn fresh(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    let renewed = plan.transform_up(|node| {
        let node = node.reset_state()?;
        let boundary = node.as_network_boundary().map(|b| b.with_input_stage(b.input_stage().clone())).transpose()?;
        Ok(Transformed::yes(boundary.map_or(node, |b| b as Arc<dyn ExecutionPlan>)))
    });
    Ok(renewed?.data)
}

/// Calls a worker of this process; nothing is put into bytes on the way.
struct Channel(Worker);

#[async_trait::async_trait]
impl WorkerChannel for Channel {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        mut request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        _: ExecutionPlanMetricsSet,
        _: &Arc<TaskContext>,
    ) -> DfResult<BoxStream<'static, DfResult<WorkerToCoordinatorMsg>>> {
        if let MaybeEncoded::Decoded(plan) = request.plan {
            request.plan = MaybeEncoded::Decoded(fresh(plan)?);
        }
        self.0.coordinator_channel(headers, request, messages.map(Ok).boxed()).await
    }

    async fn execute_task(
        &mut self,
        _: HeaderMap,
        request: ExecuteTaskRequest,
        _: ExecutionPlanMetricsSet,
        _: &Arc<TaskContext>,
    ) -> DfResult<Vec<BoxStream<'static, DfResult<RecordBatch>>>> {
        let (streams, _) = self.0.execute_task(request).await?;
        Ok(streams.into_iter().map(StreamExt::boxed).collect())
    }

    async fn get_worker_info(&mut self, _: GetWorkerInfoRequest) -> DfResult<GetWorkerInfoResponse> {
        Ok(GetWorkerInfoResponse { version: self.0.version().to_owned() })
    }
}
