internal import MillraceModels
internal import MillraceSystem

/// A record of an exchange topic: a piece of a message.
///
/// Little-endian. A message is cut into pieces of `pieceBytes`, all but the last of that size.
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u64 | magic `MLRXCHG1` |
/// | 8 | u32 | CRC-32C of everything after byte 12 |
/// | 12 | u16 | version, 1 |
/// | 14 | u8 | kind: 1 join, 2 contribution, 3 close, 4 leave |
/// | 15 | u8 | 0 |
/// | 16 | u64 | settings of the training |
/// | 24 | u64 | life of the trainer |
/// | 32 | u64 | round of a contribution or a close; else 0 |
/// | 40 | u32 | bytes of the message |
/// | 44 | u32 | CRC-32C of the message |
/// | 48 | u32 | the piece's number, from 0 |
/// | 52 | u32 | number of pieces |
/// | 56 | u64 | bytes of the trainer's name |
/// | 64 | | the name, the piece |
struct ExchangeRecord: Equatable {
    /// What a message is about.
    enum Kind: UInt8 {
        /// A trainer begins, or goes on.
        case join = 1
        /// What a trainer has learnt.
        case contribution = 2
        /// Which contributions make the average of a round.
        case close = 3
        /// A trainer is done.
        case leave = 4
    }

    /// Which message it is a piece of.
    struct Message: Hashable {
        var trainer: TrainerID
        var kind: Kind
        var round: UInt64
        var bytes: Int
        var checksum: UInt32

        /// How many pieces it is cut into.
        var pieces: Int { max(1, (bytes + pieceBytes - 1) / pieceBytes) }
    }

    var settings: UInt64
    var message: Message
    var index: Int
    var piece: [UInt8]

    /// Why bytes are no record.
    struct Fault: Error, Equatable {
        var byte: Int
        var expected: String
        var found: String
    }

    /// The bytes of a piece: records stay below Kafka's default limit.
    static let pieceBytes = 500_000
    private static let magic: UInt64 = 0x3147_4843_5852_4C4D  // "MLRXCHG1"
    private static let version: UInt16 = 1
    private static let headerBytes = 64

    /// The records of a message.
    static func records(
        _ kind: Kind, round: Int = 0, _ bytes: [UInt8], of trainer: TrainerID,
        settings: UInt64
    ) -> [[UInt8]] {
        let message = Message(
            trainer: trainer, kind: kind, round: UInt64(round), bytes: bytes.count,
            checksum: CRC32C.checksum(of: bytes.span))
        return (0..<message.pieces).map { index in
            let first = index * pieceBytes
            let piece = Array(bytes[first..<min(first + pieceBytes, bytes.count)])
            return ExchangeRecord(
                settings: settings, message: message, index: index, piece: piece
            ).encoded()
        }
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        let name = Array(message.trainer.name.utf8)
        bytes.reserveCapacity(Self.headerBytes + name.count + piece.count)
        bytes.append(littleEndian: Self.magic)
        bytes.append(littleEndian: 0 as UInt32)
        bytes.append(littleEndian: Self.version)
        bytes += [message.kind.rawValue, 0]
        for word in [settings, message.trainer.life, message.round] {
            bytes.append(littleEndian: word)
        }
        bytes.append(littleEndian: UInt32(message.bytes))
        bytes.append(littleEndian: message.checksum)
        bytes.append(littleEndian: UInt32(index))
        bytes.append(littleEndian: UInt32(message.pieces))
        bytes.append(littleEndian: UInt64(name.count))
        bytes += name
        bytes += piece
        let checksum = CRC32C.checksum(of: bytes.span.extracting(12...))
        for (place, byte) in checksum.littleEndianBytes.enumerated() { bytes[8 + place] = byte }
        return bytes
    }

    /// A record from bytes.
    ///
    /// - Throws: `Fault` for bytes that are none; whatever they are, nothing traps.
    init(_ bytes: [UInt8]) throws(Fault) {
        try Self.require(
            bytes.count >= Self.headerBytes, 0, "\(Self.headerBytes) bytes", "\(bytes.count)")
        let magic: UInt64 = bytes.number(at: 0)
        try Self.require(magic == Self.magic, 0, "a record of an exchange", "other bytes")
        let stored: UInt32 = bytes.number(at: 8)
        let computed = CRC32C.checksum(of: bytes.span.extracting(12...))
        try Self.require(stored == computed, 8, "checksum \(computed)", "\(stored)")
        let version: UInt16 = bytes.number(at: 12)
        try Self.require(version == Self.version, 12, "version \(Self.version)", "\(version)")
        guard let kind = Kind(rawValue: bytes[14]), bytes[15] == 0 else {
            throw Fault(byte: 14, expected: "kind 1 to 4", found: "\(bytes[14])")
        }
        settings = bytes.number(at: 16)
        let length: UInt32 = bytes.number(at: 40)
        let index: UInt32 = bytes.number(at: 48)
        let pieces: UInt32 = bytes.number(at: 52)
        let nameBytes: UInt64 = bytes.number(at: 56)
        let most = UInt64(min(bytes.count - Self.headerBytes, Names.maxLength))
        try Self.require(nameBytes <= most, 56, "a name of at most \(most) bytes", "\(nameBytes)")
        let end = Self.headerBytes + Int(nameBytes)
        let name = String(validating: bytes[Self.headerBytes..<end], as: UTF8.self)
        guard let name, Names.isValid(name) else {
            throw Fault(byte: Self.headerBytes, expected: "a trainer's name", found: "other bytes")
        }
        message = Message(
            trainer: TrainerID(name: name, life: bytes.number(at: 24)), kind: kind,
            round: bytes.number(at: 32), bytes: Int(length), checksum: bytes.number(at: 44))
        self.index = Int(index)
        try Self.require(
            message.pieces == Int(pieces) && index < pieces, 48, "a piece of \(message.pieces)",
            "piece \(index) of \(pieces)")
        piece = Array(bytes[end...])
        let first = self.index * Self.pieceBytes
        let wanted = min(Self.pieceBytes, message.bytes - first)
        try Self.require(piece.count == wanted, end, "\(wanted) bytes", "\(piece.count)")
    }

    init(settings: UInt64, message: Message, index: Int, piece: [UInt8]) {
        self.settings = settings
        self.message = message
        self.index = index
        self.piece = piece
    }

    private static func require(
        _ holds: Bool, _ byte: Int, _ expected: @autoclosure () -> String,
        _ found: @autoclosure () -> String
    ) throws(Fault) {
        guard holds else { throw Fault(byte: byte, expected: expected(), found: found()) }
    }
}
