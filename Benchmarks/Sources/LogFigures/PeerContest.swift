internal import BenchmarkSupport
internal import CPeers
internal import MillraceLog

/// Appending and scanning the same rows in another store, 262,144 rows of 256 bytes a sample.
final class PeerContest: Contest {
    private enum Peer { case lmdb, rocksDB }
    private enum Work { case append, appendRows, byHand, scan, write }

    private static let turns = 256
    private static let rows = turns * DigitRows.rowsPerBatch

    private let peer: Peer
    private let work: Work
    private let directory: WorkDirectory
    private let log: DigitLog

    private init(_ peer: Peer, _ work: Work) throws {
        self.peer = peer
        self.work = work
        directory = try WorkDirectory()
        log = try DigitLog(codec: .none)
        if peer == .lmdb {
            let code = unsafe peer_lmdb_open(directory.path, 1 << 30)
            _ = try Bare.seconds(Int64(code), "LMDB")
        }
        // The first run makes the file; those that count write into it.
        _ = try append()
        if work == .scan { _ = try log.append(Self.turns - 1) }
        if work == .write || work == .byHand { try Bare.use(DigitRows.shared.get()) }
    }

    deinit {
        switch peer {
        case .lmdb: peer_lmdb_close()
        case .rocksDB: peer_rocksdb_close()
        }
    }

    private func append() throws -> Double {
        let source = try DigitRows.shared.get()
        let count = source.batches * DigitRows.rowsPerBatch
        // SAFETY: the stores copy the rows during the call.
        let time = unsafe source.withRows { bytes in
            switch peer {
            case .lmdb:
                unsafe peer_lmdb_append(
                    bytes.baseAddress, DigitRows.rowBytes, count, Self.rows)
            case .rocksDB:
                unsafe peer_rocksdb_append(
                    directory.path + "/rocks", bytes.baseAddress, DigitRows.rowBytes, count,
                    Self.rows)
            }
        }
        return try Bare.seconds(time, "appending to \(peer)")
    }

    func bare() throws -> Double {
        guard work == .scan else {
            return Double(Self.rows) / (try append()) * 1e-6
        }
        var found = 0
        var sum = 0.0
        let time =
            switch peer {
            case .lmdb: unsafe peer_lmdb_scan(&found, &sum)
            case .rocksDB: unsafe peer_rocksdb_scan(&found, &sum)
            }
        let seconds = try Bare.seconds(time, "scanning \(peer)")
        guard found == Self.rows else {
            throw Bare.Failure(description: "\(found) rows were found in \(peer)")
        }
        return Double(found) / seconds * 1e-6
    }

    func ours() throws -> Double {
        if work == .append {
            let seconds = try DigitLog(codec: .none).appendFromPlace(Self.turns)
            return Double(Self.rows) / seconds * 1e-6
        }
        if work == .appendRows {
            let seconds = try DigitLog(codec: .none).appendRows(Self.turns)
            return Double(Self.rows) / seconds * 1e-6
        }
        if work == .byHand {
            let seconds = try Bare.append(
                directory.path + "/bare", turns: Self.turns, extra: 128, compressed: false)
            return Double(Self.rows) / seconds * 1e-6
        }
        if work == .write {
            let seconds = try Bare.write(
                directory.path + "/bare", turns: Self.turns, extra: 128, fresh: true)
            return Double(Self.rows) / seconds * 1e-6
        }
        let found = try log.scan(touchingRows: true)
        guard found.rows == Self.rows else {
            throw Bare.Failure(description: "\(found.rows) rows were found")
        }
        return Double(found.rows) / found.seconds * 1e-6
    }

    static let figures = [
        Figure(
            name: "Append, stored, from where the rows are, beside LMDB",
            bare: "LMDB, MDB_APPEND, 1,024 rows a transaction, MDB_NOSYNC, file written before",
            unit: "M rows/s", asked: .atLeast(2), limit: "the kernel's copy into new pages",
            contest: { try PeerContest(.lmdb, .append) }),
        Figure(
            name: "Append row by row, stored, beside LMDB", bare: "LMDB, as above",
            unit: "M rows/s", asked: .nothing,
            limit: "copying rows into the batch, and the kernel's copy into new pages",
            contest: { try PeerContest(.lmdb, .appendRows) }),
        Figure(
            name: "Append by hand, beside LMDB: CRC-32C and one `pwritev` into a new file",
            bare: "LMDB, as above", unit: "M rows/s", asked: .nothing,
            limit: "the kernel's copy into new pages",
            contest: { try PeerContest(.lmdb, .byHand) }),
        Figure(
            name: "`pwrite` alone into a new file, beside LMDB",
            bare: "LMDB, as above: what no log that writes new pages can exceed",
            unit: "M rows/s", asked: .nothing, limit: "the kernel's copy into new pages",
            contest: { try PeerContest(.lmdb, .write) }),
        Figure(
            name: "Scan, stored, beside LMDB", bare: "LMDB, a cursor over the same rows",
            unit: "M rows/s", asked: .atLeast(1), limit: "memory",
            contest: { try PeerContest(.lmdb, .scan) }),
        Figure(
            name: "Append row by row, stored, beside RocksDB",
            bare: "RocksDB, write-ahead log, 1,024 rows a write batch, no sync",
            unit: "M rows/s", asked: .nothing,
            limit: "copying rows into the batch, and the kernel's copy into new pages",
            contest: { try PeerContest(.rocksDB, .appendRows) }),
        Figure(
            name: "Scan, stored, beside RocksDB", bare: "RocksDB, an iterator, checksums verified",
            unit: "M rows/s", asked: .nothing, limit: "memory",
            contest: { try PeerContest(.rocksDB, .scan) }),
    ]
}
