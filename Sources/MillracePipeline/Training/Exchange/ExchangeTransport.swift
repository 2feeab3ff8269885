/// A topic through which trainers exchange: records in one total order.
///
/// **Thread-safety**: one owner.
protocol ExchangeTransport: AnyObject {
    /// The topic's name, for messages.
    var name: String { get }
    /// What tells the topic from others, whatever they are called.
    var identity: UInt64 { get }

    /// The offset of the first record that is there.
    func start() throws -> UInt64

    /// The offset behind the last record that is there.
    func end() throws -> UInt64

    /// The offset behind all that was read.
    var position: UInt64 { get }

    /// Goes on reading at an offset.
    ///
    /// - Throws: `tryLater` when records from there on have been removed, or are not there yet.
    func seek(to offset: UInt64) throws

    /// The next record; nil when there is none at the moment.
    func next() throws -> (offset: UInt64, bytes: [UInt8])?

    /// Appends records in their order; those of others may come in between.
    ///
    /// They survive the death of the process.
    func append(_ records: [[UInt8]]) throws

    /// Makes durable what was read and appended.
    func flush() throws

    /// Waits for records, for some milliseconds; longer only while the topic cannot be reached.
    func rest() throws

    /// Ends the writing.
    func close() throws
}
