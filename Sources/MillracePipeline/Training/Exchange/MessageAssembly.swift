internal import MillraceSystem

/// Puts messages together from their pieces, whatever comes in between.
///
/// Memory is bounded: pieces of the message that was begun first go when there are too many, or too
/// many messages. A piece that comes twice is taken once.
struct MessageAssembly {
    private static let mostMessages = 4096
    private let mostBytes: Int
    private var parts: [ExchangeRecord.Message: [Int: [UInt8]]] = [:]
    /// Messages of which there are pieces, in the order in which they were begun.
    private var order: [ExchangeRecord.Message] = []
    private var held = 0

    init(mostBytes: Int) { self.mostBytes = mostBytes }

    /// Takes a piece; returns the message's bytes once all are there, nil before and where they are
    /// not what the checksum says.
    mutating func take(_ record: ExchangeRecord) -> [UInt8]? {
        let message = record.message
        guard message.pieces > 1 else { return Self.checked(record.piece, message) }
        if parts[message] == nil { order.append(message) }
        guard parts[message, default: [:]].updateValue(record.piece, forKey: record.index) == nil
        else { return nil }
        held += record.piece.count
        if let whole = parts[message], whole.count == message.pieces {
            drop(message)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(message.bytes)
            for index in 0..<message.pieces { bytes += whole[index] ?? [] }
            return Self.checked(bytes, message)
        }
        while order.count > 1, held > mostBytes || order.count > Self.mostMessages {
            drop(order[0])
        }
        return nil
    }

    private mutating func drop(_ message: ExchangeRecord.Message) {
        for piece in (parts.removeValue(forKey: message) ?? [:]).values { held -= piece.count }
        order.removeAll { $0 == message }
    }

    private static func checked(
        _ bytes: [UInt8], _ message: ExchangeRecord.Message
    ) -> [UInt8]? {
        CRC32C.checksum(of: bytes.span) == message.checksum ? bytes : nil
    }
}
