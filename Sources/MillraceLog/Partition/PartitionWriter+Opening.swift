internal import MillraceSystem

extension PartitionWriter {
    /// The end of the log, with the newest batch of `producer` when one is named.
    ///
    /// Others append and begin segments meanwhile. The producer has no batch before log position
    /// `since`.
    static func cursor(
        _ files: PartitionFiles, _ control: borrowing ControlPage, _ view: LogView,
        producer: UInt32, since: UInt64
    ) throws(LogError) -> LogCursor {
        let list = view.list
        // The segment of the last batch: a newer one may have none yet.
        let position = view.published.position
        let index = position == 0 ? nil : list.index(ofPosition: position - 1)
        guard let index else {
            guard position == 0 || list.entries.first?.header.basePosition == position else {
                throw files.missingSegment(position)
            }
            var cursor = LogCursor(at: list.entries.first?.header, producer: producer)
            try cursor.advance(to: position, in: list, of: files)
            return cursor
        }
        var cursor = LogCursor(at: list.entries[index].header, producer: producer)
        try cursor.advance(to: position, in: list, of: files)
        try check(cursor, control)
        if producer != 0, cursor.lastOfProducer == nil {
            cursor.lastOfProducer = try lastBatch(
                of: producer, before: index, since: since, list, files)
        }
        return cursor
    }

    /// The end that the batches tell is the end that the page tells, or was about to tell when its
    /// writer died.
    private static func check(
        _ cursor: LogCursor, _ control: borrowing ControlPage
    ) throws(LogError) {
        let end = try control.endOffsetValue()
        guard end <= cursor.offset else {
            // Another writer may have published since we looked.
            if try control.publishedValue().position > cursor.position { return }
            throw LogError.corrupt(
                control.path, at: ControlPage.endOffsetByte,
                expected: "an end offset of at most \(cursor.offset)", found: "\(end)")
        }
    }

    /// The newest batch of a producer in the segments before `index`.
    private static func lastBatch(
        of producer: UInt32, before index: Int, since: UInt64, _ list: SegmentList,
        _ files: PartitionFiles
    ) throws(LogError) -> LogCursor.ProducerMark? {
        for earlier in (0..<index).reversed() {
            guard list.limit(of: earlier, published: .max) > since else { return nil }
            let header = list.entries[earlier].header
            var cursor = LogCursor(at: header, producer: producer)
            var walk = try BatchWalk(
                files.open(list.entries[earlier]),
                limit: list.limit(of: earlier, published: .max))
            while let header = try walk.next() { cursor.pass(header) }
            if let mark = cursor.lastOfProducer { return mark }
        }
        return nil
    }
}
