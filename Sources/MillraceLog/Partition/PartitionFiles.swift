internal import MillraceSystem

/// Where a partition's files are, and whose they are.
struct PartitionFiles: Sendable {
    let directory: String
    let topic: String
    let topicID: UInt64
    let partition: Int

    var control: String { directory + "/control" }
    /// Its bytes are the writers' slots (`OwnerSlot`).
    var writers: String { directory + "/writers" }

    /// The readers that retention waits for (`ReaderHold`).
    var holds: String { directory + "/readers" }

    func openControl(writable: Bool) throws(LogError) -> ControlPage {
        do throws(LogError) {
            return try ControlPage(
                control, topicID: topicID, partition: partition, writable: writable)
        } catch {
            throw explained(error)
        }
    }

    /// The error to throw for one of the file layer: files that are gone with their topic are no
    /// failure of the system.
    func explained(_ error: LogError) -> LogError {
        let isGone = error.cause?.isNotFound == true && !Files.exists(directory)
        return isGone ? deleted() : error
    }

    /// Makes the words of the control page durable.
    ///
    /// - Throws: `poisoned` when that fails. The page is then taken for written, though it is not;
    ///   a later sync would promise the epoch or the ceiling without having written it.
    func sync(_ control: borrowing ControlPage) throws(LogError) {
        do throws(LogError) { try control.sync() } catch { throw poison(control, error) }
    }

    /// Says, before anything else, that a sync has failed; returns the error to throw.
    func poison(_ control: borrowing ControlPage, _ error: LogError) -> LogError {
        ControlPage.raise(control.state, to: PartitionState.poisoned.rawValue)
        return LogError(
            .poisoned, error.message + ". " + poisoned().message, path: error.path,
            cause: error.cause)
    }

    /// The segments that are part of the log whose start is `start`.
    func segments(from start: UInt64) throws(LogError) -> SegmentList {
        try SegmentList(self, start: start)
    }

    /// The segments of the log, from the start that `control` tells.
    ///
    /// - Throws: `corrupt` when the first of them is missing, `notFound` when the topic has been
    ///   deleted.
    func segments(_ control: borrowing ControlPage) throws(LogError) -> SegmentList {
        do throws(LogError) { return try list(control) } catch {
            if try control.stateValue() == .deleted { throw deleted() }
            throw explained(error)
        }
    }

    private func list(_ control: borrowing ControlPage) throws(LogError) -> SegmentList {
        while true {
            let start = try control.startPosition()
            let list = try segments(from: start)
            // Retention may have removed segments while they were listed, the first of which may be
            // in the list and those behind it not.
            guard try control.startPosition() == start else { continue }
            guard let first = list.entries.first, first.header.basePosition > start else {
                return list
            }
            throw missingSegment(start)
        }
    }

    /// The segments as they are now, when `error` says that one of `list` is not there any more and
    /// retention has gone on since it was listed; throws the error otherwise.
    func segments(
        instead list: SegmentList, _ control: borrowing ControlPage, after error: LogError
    ) throws(LogError) -> SegmentList {
        guard error.cause?.isNotFound == true else { throw error }
        let now = try segments(control)
        guard now.entries != list.entries else { throw error }
        return now
    }

    /// What is published, and the segments that hold it.
    func view(_ control: borrowing ControlPage) throws(LogError) -> LogView {
        while true {
            let start = try control.startPosition()
            let published = try control.publishedValue()
            // The count before the list: a segment made after that shows as a change.
            let version = control.segments.loadAcquiring()
            let list = try segments(control)
            // Retention may have passed what was published when we looked.
            guard list.start == start else { continue }
            guard start <= published.position else { throw missingSegment(start) }
            return LogView(published: published, version: version, list: list)
        }
    }

    /// Runs `body` with what is published and its segments; again, with those of then, when
    /// retention has removed one meanwhile that `body` wanted to open.
    func withView<R>(
        _ control: borrowing ControlPage, _ body: (LogView) throws(LogError) -> R
    ) throws(LogError) -> R {
        while true {
            let view = try view(control)
            do throws(LogError) { return try body(view) } catch {
                _ = try segments(instead: view.list, control, after: error)
            }
        }
    }

    func open(_ entry: SegmentEntry) throws(LogError) -> Segment {
        try Segment(path: entry.path, topicID: topicID, partition: partition)
    }

    /// The error of a partition whose topic was deleted under its user.
    func deleted() -> LogError {
        LogError(
            .notFound, "topic '\(topic)' has been deleted; stop, or open it anew",
            path: directory)
    }

    /// The error of a partition that may have lost data in a failed sync.
    func poisoned() -> LogError {
        LogError(
            .poisoned,
            "a sync of topic '\(topic)', partition \(partition) failed: what was appended since "
                + "the last good one may not be on the disk. Nothing more is accepted. Check the "
                + "disk, then copy what is intact with 'topic verify \(topic) --salvage DIR', or "
                + "restart the machine to go on from what the disk holds",
            path: directory)
    }
}
