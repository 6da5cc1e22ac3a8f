//! The node as others meet it: two nodes with their listeners, databases and jobs, over real sockets.

mod deal;
