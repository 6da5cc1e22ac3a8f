//! The node as others meet it: two nodes with their listeners, databases and jobs, over real sockets.

mod administration;
mod agreements;
mod api;
mod audit;
mod deal;
mod dsp_scenarios;
mod dsp_surface;
mod erasing;
mod feeds;
mod files;
mod governed;
mod identity;
mod lineage;
mod log;
mod oauth;
mod peer_faults;
mod prices;
mod publications;
mod refusals;
mod reports;
mod requests;
mod rules;
mod share;
mod sql;
mod weighing;
mod witness;
