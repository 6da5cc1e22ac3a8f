//! The `fondaco` command. Everything is in the library; see [`fondaco_node::cli`].

use std::process::ExitCode;

// An idle node must stay small and a busy one must not fragment: the system allocator gives pages back late.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fondaco_node::cli::main()
}
