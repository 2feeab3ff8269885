internal import CBareMetal

/// The bare work that the log is compared with, in seconds.
enum Bare {
    /// A call that failed.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func seconds(_ nanoseconds: Int64, _ what: String) throws -> Double {
        guard nanoseconds >= 0 else {
            throw Failure(description: "\(what) failed with error \(-nanoseconds)")
        }
        return Double(nanoseconds) * 1e-9
    }

    static func pin(to core: Int) throws {
        _ = try seconds(Int64(bare_pin(Int32(core))), "pinning to processor \(core)")
    }

    /// The monotonic clock, in nanoseconds.
    static func now() -> Int64 { bare_clock() }

    static func probe() -> Int64 { bare_probe() }

    /// Gives the others the batches of `rows` to work on, split before compression when said.
    static func use(_ rows: DigitRows, isSplit: Bool = false) throws {
        // SAFETY: the bytes are copied during the call.
        let result = unsafe rows.withRows {
            unsafe bare_use(
                $0.baseAddress, DigitRows.batchBytes, rows.batches, isSplit ? 1 : 0)
        }
        _ = try seconds(Int64(result), "copying the batches")
    }

    static func compress(_ turns: Int) throws -> Double {
        try seconds(bare_compress(turns), "LZ4_compress_fast")
    }

    static func decompress(_ turns: Int) throws -> Double {
        try seconds(bare_decompress(turns), "LZ4_decompress_safe")
    }

    static func write(_ path: String, turns: Int, extra: Int, fresh: Bool) throws -> Double {
        try seconds(
            unsafe bare_write(
                path, turns, extra, Int32(fresh ? BARE_RESERVED : BARE_OVER)), "pwrite")
    }

    static func append(
        _ path: String, turns: Int, extra: Int, compressed: Bool
    ) throws -> Double {
        try seconds(unsafe bare_append(path, turns, extra, compressed ? 1 : 0), "appending")
    }

    static func map(_ path: String) throws {
        _ = try seconds(Int64(unsafe bare_map(path)), "mapping \(path)")
    }

    static var mappedBytes: Int { bare_mapped_bytes() }

    static func read() throws -> Double { try seconds(bare_read(), "reading") }

    static func checksum() throws -> Double { try seconds(bare_checksum(), "checksums") }

    /// Nanoseconds one way, of each round.
    static func pingPong(_ cores: (Int, Int), rounds: Int) throws -> [Int64] {
        var times = [Int64](repeating: 0, count: rounds)
        let result = unsafe bare_ping_pong(Int32(cores.0), Int32(cores.1), rounds, &times)
        _ = try seconds(Int64(result), "ping-pong")
        return times
    }

    /// Nanoseconds of each handing over of `bytes` bytes through a mapping of a new file.
    static func handOver(
        _ path: String, _ cores: (Int, Int), bytes: Int, rounds: Int
    ) throws -> [Int64] {
        var times = [Int64](repeating: 0, count: rounds)
        let result = unsafe bare_hand_over(
            path, Int32(cores.0), Int32(cores.1), bytes, rounds, &times)
        _ = try seconds(Int64(result), "handing over")
        return times
    }

    /// Nanoseconds of each write.
    static func smallWrites(_ path: String, bytes: Int, count: Int) throws -> [Int64] {
        var times = [Int64](repeating: 0, count: count)
        let result = unsafe bare_small_writes(path, bytes, count, &times)
        _ = try seconds(Int64(result), "pwrite")
        return times
    }
}
