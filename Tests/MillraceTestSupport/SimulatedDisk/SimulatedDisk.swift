package import MillraceSystem

/// A disk that may lose at a loss of power what was not synced.
///
/// From its creation until `stop()` it records every system call and mapped store of this process
/// under a directory. `image(upTo:seed:)` then builds one of the disks that may be left when the
/// power goes at a moment of that record, always the same for the same record, moment and seed.
///
/// What was synced is there. Sectors and sizes of files follow the rules of `SimulatedFile`. Names
/// that were created, moved or removed since their directory was synced may be so or not, each for
/// itself; a rename happens whole or not at all, and is durable when the directory of the new name
/// was synced. Syncing a new file does not make its name durable.
///
/// Syncs are recorded and not performed, so that tests are fast. The directory itself survives.
/// Files must be written through the file layer by this process alone.
///
/// **Thread-safety**: any thread may do anything at any time.
package final class SimulatedDisk: DiskObserver {
    /// The directory that is on the disk.
    package let root: String
    private let boot: UInt64
    /// Kept, so that its end does not become part of the record.
    private let directory: TemporaryDirectory?
    private let recorder: Lock<DiskRecorder>
    private let initial: DiskState
    /// The state at the last moment asked for, from which a later one is quicker to reach.
    private let reached: Lock<(index: Int, state: DiskState)>

    /// Starts recording.
    ///
    /// What is in `root` is taken to be durable; files in it that are open already are not
    /// observed, and must not be used. `boot` is the boot id that `BootID` tells there.
    package convenience init(root: String, boot: UInt64 = 1) throws {
        try self.init(root: root, boot: boot, keeping: nil)
    }

    /// Starts recording in a directory that lives as long as the disk.
    package convenience init(in directory: TemporaryDirectory, boot: UInt64 = 1) throws {
        try self.init(root: directory.path, boot: boot, keeping: directory)
    }

    private init(root: String, boot: UInt64, keeping directory: TemporaryDirectory?) throws {
        self.root = root
        self.boot = boot
        self.directory = directory
        var state = DiskState()
        try Self.read(root, into: SimulatedNames.root, &state)
        initial = state
        recorder = Lock(DiskRecorder(root: root, state))
        reached = Lock((0, state))
        DiskObservation.install(self, on: root)
    }

    /// Ends the recording; the record stays.
    package func stop() { DiskObservation.remove(self) }

    private static func read(
        _ path: String, into directory: SimulatedNames.Node, _ state: inout DiskState
    ) throws {
        for name in try Files.list(path) {
            let place = SimulatedNames.Place(directory: directory, name: name)
            let below = path + "/" + name
            if try Files.kind(of: below) == .directory {
                let node = state.nodeCount
                state.addDurable(place, nil)
                try read(below, into: node, &state)
            } else {
                state.addDurable(place, try Files.read(below, maxBytes: 1 << 30))
            }
        }
    }

    /// The moment that has been reached: the number of events recorded so far.
    package func mark() -> Int { recorder.withLock { $0.events.count } }

    /// A disk that may be left when the power goes after the first `index` events.
    ///
    /// - Complexity: O(bytes on the disk + bytes written since the last moment asked for, or since
    ///   the beginning when that was later).
    package func image(upTo index: Int, seed: UInt64) -> CrashImage {
        CrashImage(state(at: index), seed: seed)
    }

    /// Writes a disk that may be left after the first `index` events into a directory that is
    /// empty or does not exist.
    package func materialize(upTo index: Int, seed: UInt64, into directory: String) throws {
        try CrashImage.write(state(at: index), seed: seed, to: directory)
    }

    private func state(at index: Int) -> DiskState {
        let events = recorder.withLock { $0.events }
        precondition(index <= events.count)
        var (from, state) = reached.withLock { $0 }
        if from > index { (from, state) = (0, initial) }
        for event in events[from..<index] { state.apply(event) }
        let result = state
        reached.withLock { $0 = (index, result) }
        return result
    }

    /// The record from one moment to another, a line an event, for the report of a failing seed.
    package func record(_ range: Range<Int>) -> String {
        recorder.withLock { recorder in
            range.map { "\($0): \(recorder.events[$0])" }
                .joined(separator: "\n")
        }
    }

    // MARK: Observation

    package func willPerform(_ call: DiskCall) -> DiskAnswer {
        switch call.kind {
        case .sync, .syncData, .syncMap: .pretend
        default: .proceed
        }
    }

    package func didPerform(_ call: DiskCall, result: Int) {
        recorder.withLock { $0.record(call, result: result) }
    }

    package func didStore(_ file: DiskCall.File, offset: Int, bytes: [UInt8]) {
        recorder.withLock { $0.record(storeInto: file, offset: offset, bytes: bytes) }
    }

    package func bootID(for path: String) -> UInt64? { boot }
}
