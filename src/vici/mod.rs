//! VICI, the control interface of strongSwan's IKE daemon: its protocol and a client.
//!
//! [`message`] is the tree that messages are, [`codec`] its bytes.

pub mod codec;
pub mod message;
