//! A client for requests: connects when it is needed, and again after a connection has failed.

use super::connection::{Connection, Options, Stream};
use super::error::Error;
use super::message::Section;
use super::uri::Uri;

/// Runs commands, on one connection as long as it lasts. For events see [`super::Monitor`].
///
/// ```no_run
/// use pfscope::vici::{Client, Options, message::Section, views};
///
/// let mut client = Client::new("unix:///var/run/charon.vici".parse()?, Options::default());
/// let reply = client.request("version", &Section::new())?;
/// println!("{:?}", views::Version { section: &reply }.version());
/// for event in client.stream("list-sas", "list-sa", &Section::new())? {
///     let event = event?;
///     for ike in views::ike_sas(&event) {
///         for child in ike.children() {
///             println!("{:?} in {:08x?} out {:08x?}", child.name(), child.spi_in(), child.spi_out());
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    uri: Uri,
    options: Options,
    connection: Option<Connection>,
}

impl Client {
    /// A client that has not connected yet.
    pub const fn new(uri: Uri, options: Options) -> Self {
        Self { uri, options, connection: None }
    }

    /// The connection, opened if there is none that can be used.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub fn connection(&mut self) -> Result<&mut Connection, Error> {
        // The old one is closed before a new one is opened: charon's backlog is short.
        self.connection = self.connection.take().filter(Connection::is_open);
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(Connection::open(&self.uri, self.options)?)),
        }
    }

    /// As [`Connection::request`].
    ///
    /// # Errors
    /// As there, and [`Error::Connect`].
    pub fn request(&mut self, command: &str, request: &Section) -> Result<Section, Error> {
        self.connection()?.request(command, request)
    }

    /// As [`Connection::stream`].
    ///
    /// # Errors
    /// As there, and [`Error::Connect`].
    pub fn stream(
        &mut self,
        command: &str,
        event: &str,
        request: &Section,
    ) -> Result<Stream<'_>, Error> {
        self.connection()?.stream(command, event, request)
    }
}
