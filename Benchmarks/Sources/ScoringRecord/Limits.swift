internal import BenchmarkSupport
internal import CBareMetal
internal import CInferencePeers
internal import Millrace

/// What scoring a row costs at the least: its parts by the barest means, one after the other.
///
/// LZ4 decompression of its batch, the undoing of the split, the checksum of the stored bytes, its
/// multiplications at the peak of the arithmetic units (or its bytes at the rate of the memory, when
/// that takes longer), and writing the prediction.
struct Limits {
    private let network: Network
    private let form: Job.Form
    private let batches: Int
    private let batchBytes: Int

    /// Gives the bare calls the batches of a job.
    init(_ job: Job, digits: Digits) throws {
        network = job.network
        form = job.form
        batches = digits.labels.count / Job.batch
        batchBytes = Job.batch * Digits.columns * (form == .float32 ? 4 : 1)
        let result: Int32
        switch form {
        case .float32:
            // SAFETY: the bytes are copied during the call.
            result = unsafe digits.features.withUnsafeBytes {
                unsafe bare_use($0.baseAddress, batchBytes, batches, 1)
            }
        case .uint8:
            let bytes = digits.features[..<(batches * batchBytes)].map { UInt8($0) }
            result = unsafe bare_use(bytes, batchBytes, batches, 0)
        }
        guard result == 0 else { throw Peer.Failure("batches cannot be copied") }
    }

    /// The parts of a row, nanoseconds.
    struct Parts {
        var decoding = 0.0
        var checksum = 0.0
        var arithmetic = 0.0
        var writing = 0.0
        /// What the kernel takes to show the stored bytes in a mapping.
        var mapping = 0.0

        var total: Double { decoding + checksum + arithmetic + writing }
    }

    /// - Parameter path: a file to write to, and to take the checksum of.
    func measure(path: String) throws -> Parts {
        let turns = 256
        let rows = Double(turns * Job.batch)
        var parts = Parts()
        parts.decoding = try time(bare_decompress(turns)) / rows
        // Into pages that have to be found, as those of a new segment have.
        // The first time pages may come from the host of a virtual machine, which is not counted.
        let times = try (0..<2).map { _ in
            try time(unsafe bare_write(path, turns, 0, Int32(BARE_GROWING)))
        }
        let written = times[1]
        let bytes = Double(turns * batchBytes)
        let width = Double((network.widths.last ?? 0) * 4)
        parts.writing = written / bytes * width
        guard unsafe bare_map(path) == 0 else { throw Peer.Failure("\(path) cannot be mapped") }
        let stored = Double(bare_compressed_bytes()) / Double(batches * Job.batch)
        parts.checksum = try time(bare_checksum()) / Double(bare_mapped_bytes()) * (stored + width)
        parts.mapping =
            try time(unsafe bare_touch(path)) / Double(bare_mapped_bytes()) * stored
        let multiplying = network.operationsPerRow / ip_fma_peak()
        let rowBytes = Double(4 * Digits.columns)
        let reading = try time(bare_read()) / Double(bare_mapped_bytes()) * rowBytes
        parts.arithmetic = max(multiplying, network.widths.count == 2 ? reading : 0)
        return parts
    }

    private func time(_ nanoseconds: Int64) throws -> Double {
        guard nanoseconds > 0 else { throw Peer.Failure("bare work failed: \(-nanoseconds)") }
        return Double(nanoseconds)
    }
}
