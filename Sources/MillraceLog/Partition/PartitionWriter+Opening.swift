internal import MillraceSystem

extension PartitionWriter {
    /// The end of the log, with the newest batches of `producer` and of `claim` when they are
    /// named.
    ///
    /// Others append and begin segments meanwhile. The producer has no batch before log position
    /// `since`.
    static func cursor(
        _ files: PartitionFiles, _ control: borrowing ControlPage, _ view: LogView,
        producer: UInt32, since: UInt64, claim: ClaimKey?
    ) throws(LogError) -> LogCursor {
        let list = view.list
        // The segment of the last batch: a newer one may have none yet.
        let position = view.published.position
        let index = position == 0 ? nil : list.index(ofPosition: position - 1)
        guard let index else {
            guard position == 0 || list.entries.first?.header.basePosition == position else {
                throw files.missingSegment(position)
            }
            var cursor = LogCursor(
                at: list.entries.first?.header, producer: producer, claim: claim)
            try cursor.advance(to: position, in: list, of: files)
            return cursor
        }
        var cursor = LogCursor(
            at: list.entries[index].header, producer: producer, claim: claim)
        try cursor.advance(to: position, in: list, of: files)
        try check(cursor, control)
        try lookBack(&cursor, before: index, since: since, list, files)
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

    /// Looks in the segments before `index` for the newest batches that the cursor has not found.
    ///
    /// The producer has none before log position `since`.
    private static func lookBack(
        _ cursor: inout LogCursor, before index: Int, since: UInt64, _ list: SegmentList,
        _ files: PartitionFiles
    ) throws(LogError) {
        for earlier in (0..<index).reversed() {
            let seeksProducer =
                cursor.producer != 0 && cursor.lastOfProducer == nil
                && list.limit(of: earlier, published: .max) > since
            let seeksClaim = cursor.claim != nil && cursor.lastOfClaim == nil
            guard seeksProducer || seeksClaim else { return }
            var walker = LogCursor(
                at: list.entries[earlier].header, producer: cursor.producer, claim: cursor.claim)
            var walk = try BatchWalk(
                files.open(list.entries[earlier]),
                limit: list.limit(of: earlier, published: .max))
            while let header = try walk.next() { walker.pass(header) }
            cursor.lastOfProducer = cursor.lastOfProducer ?? walker.lastOfProducer
            cursor.lastOfClaim = cursor.lastOfClaim ?? walker.lastOfClaim
        }
    }
}
