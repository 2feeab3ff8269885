internal import FoundationEssentials
internal import MillraceCompute
internal import MillraceSystem

/// Everything a trainer needs to go on as if it had never stopped, in one durable file.
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u64 | magic `MLRCKPT2` |
/// | 8 | u32 | CRC-32C of everything after byte 12 |
/// | 12 | u32 | bytes of the position |
/// | 16 | | position, JSON (`TrainingPosition`) |
/// | | | the newest held-out rows (`HeldOutRows`), as many bytes as the position says |
/// | | | weights, moments, statistics and metrics (`LaneTrainer.checkpoint()`) |
enum TrainingCheckpoint {
    private static let magic: [UInt8] = Array("MLRCKPT2".utf8)
    private static let maxBytes = 1 << 32

    static func save(
        _ position: TrainingPosition, heldOut: [UInt8] = [], trainer: [UInt8], to path: String
    ) throws {
        var bytes: [UInt8] = []
        try encode(position, heldOut: heldOut, into: &bytes) { $0 += trainer }
        try Files.writeDurably(path, bytes)
    }

    /// Puts a file's bytes in place of those in `bytes`, whose memory is used again; `trainer`
    /// appends its own.
    static func encode(
        _ position: TrainingPosition, heldOut: [UInt8], into bytes: inout [UInt8],
        trainer: (inout [UInt8]) -> Void
    ) throws {
        var position = position
        position.heldOutBytes = heldOut.count
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(position)
        bytes.removeAll(keepingCapacity: true)
        bytes += magic
        bytes.append(littleEndian: 0 as UInt32)
        bytes.append(littleEndian: UInt32(json.count))
        bytes += json
        bytes += heldOut
        trainer(&bytes)
        let checksum = CRC32C.checksum(of: bytes.span.extracting(12...))
        for (place, byte) in checksum.littleEndianBytes.enumerated() { bytes[8 + place] = byte }
    }

    /// What is in a file.
    struct Content {
        var position: TrainingPosition
        var heldOut: [UInt8]
        var trainer: [UInt8]
    }

    /// The checkpoint in a file; nil when there is none.
    static func load(_ path: String) throws -> Content? {
        guard Files.exists(path) else { return nil }
        let bytes = try Files.read(path, maxBytes: maxBytes)
        func damaged(_ byte: Int, _ expected: String, _ found: String) -> PipelineError {
            PipelineError(
                .badData,
                "byte \(byte): expected \(expected), found \(found)",
                advice: "Remove the file to train from the beginning.", file: path)
        }
        guard bytes.count >= 16, Array(bytes[..<8]) == magic else {
            throw damaged(0, "a training checkpoint", "\(bytes.count) other bytes")
        }
        let stored: UInt32 = bytes.number(at: 8)
        let computed = CRC32C.checksum(of: bytes.span.extracting(12...))
        guard stored == computed else { throw damaged(8, "checksum \(computed)", "\(stored)") }
        let length = Int(bytes.number(at: 12) as UInt32)
        guard length <= bytes.count - 16 else {
            throw damaged(12, "at most \(bytes.count - 16) bytes", "\(length)")
        }
        let position: TrainingPosition
        do {
            position = try JSONDecoder().decode(
                TrainingPosition.self, from: Data(bytes[16..<16 + length]))
        } catch {
            throw damaged(16, "a training position", "\(error)")
        }
        let rest = bytes[(16 + length)...]
        guard (0...rest.count).contains(position.heldOutBytes) else {
            throw damaged(
                16, "at most \(rest.count) bytes of held-out rows", "\(position.heldOutBytes)")
        }
        return Content(
            position: position, heldOut: Array(rest.prefix(position.heldOutBytes)),
            trainer: Array(rest.dropFirst(position.heldOutBytes)))
    }
}

/// Where a trainer stands in its topic.
struct TrainingPosition: Codable, Equatable {
    /// The topic that the offsets belong to.
    var topicID: UInt64
    /// Drawn when the training began: its versions and metrics carry it, so that those of a training
    /// that was begun anew are not taken for its own.
    var trainingID: UInt64
    /// What decides the result besides the rows; a checkpoint of other settings is refused.
    var settings: String
    /// The specification of the features.
    var specification: UInt32
    /// The kernel set and the kernels of OpenBLAS that the weights were computed with.
    var kernels: String
    var openBLASCore = OpenBLAS.prepare().core
    /// From 0.
    var epoch = 0
    /// The partition whose turn it is.
    var turn = 0
    /// Next offset of each partition.
    var offsets: [UInt64] = []
    /// Where each partition ends in this pass, once that is decided: rows that come later are not
    /// for it, also after a restart.
    var ends: [UInt64?] = []
    /// Rows of the topic visited, over all epochs.
    var sourceRows = 0
    /// Rows left out because their label is no class.
    var rejectedRows = 0
    /// Labelled rows learnt from when the newest version was published.
    var publishedRows = 0
    /// Labelled rows at which the next metrics, checkpoint and version are due.
    var nextMetrics: Int
    var nextCheckpoint: Int
    var nextVersion: Int
    /// A version that belongs to this checkpoint and may not have been published yet.
    var pendingPublication: String?
    /// What the trainer says at this checkpoint, which may not be in the metrics topic yet.
    var pendingRecord: MetricsRecord?
    /// What the publish gate said last.
    var gate: GateVerdict?
    /// What the watch over the loss remembers.
    var lossWatch = PageHinkley()
    /// Alarms that no record names yet.
    var alarms: [DriftAlarm] = []
    /// How many bytes of a checkpoint are held-out rows.
    var heldOutBytes = 0
    /// Whether the trainer had reached its end.
    var isFinished = false
    /// Where the trainer stands among others; nil where it learns by itself.
    var exchange: ExchangePosition?
}

/// Where a trainer stands in an exchange with others.
struct ExchangePosition: Codable, Equatable {
    /// The topic through which they exchange.
    var topicID: UInt64
    /// Drawn when the trainer began to exchange under its name.
    var life: UInt64
    /// The offset in the topic at which that was.
    var begun: UInt64
    /// The newest round whose average the trainer has.
    var round: Int
    /// The offset behind its close.
    var next: UInt64
    /// The trainers that are waited for.
    var awaited: [String]
}
