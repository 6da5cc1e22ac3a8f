//! One suite over both databases: SQLite always, Postgres when `FONDACO_TEST_POSTGRES_URL` names a server on which
//! schemas may be created. Each test has a database of its own.

mod backup;
mod concurrency;
mod crash;
mod golden;
mod jobs;
mod log;
mod log_crash;
mod rooms;
mod rows;
mod samples;
mod transactions;
mod world;

/// Runs each test on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::world::World::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = crate::world::World::postgres().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}
pub(crate) use on_both;
