internal import MillraceSystem

extension PartitionVerifier {
    /// The end of a segment's batches, as its neighbours and the control page tell.
    private func limit(of part: SegmentPart, next: SegmentPart?) -> UInt64? {
        // After a crash of the machine the page may be older or newer than the segment.
        if control.mayBeTorn { return next?.basePosition }
        guard let next else { return control.published }
        return min(next.basePosition, control.published ?? .max)
    }

    mutating func scan(
        _ part: SegmentPart, next: SegmentPart?,
        _ visit: (SegmentPart, BatchHeader, RawSpan) throws(LogError) -> Void
    ) throws(LogError) {
        let limit = limit(of: part, next: next)
        guard !part.isBlank else { return pass(blank: part, limit: limit) }
        if part.header == nil, mayTear(at: part.basePosition) { return tear(part.path, at: 0) }
        let map: MappedFile
        do throws(SystemError) {
            let file = try FileHandle(part.path, .read)
            map = try file.map(bytes: try file.size(), writable: false)
        } catch {
            return pass(unreadable: part, error)
        }
        findings.faults += part.faults
        findings.counts.segments += 1
        enter(part)
        var cursor = SegmentCursor(part: part, size: map.byteCount, limit: limit, next: next)
        while try step(&cursor, map.bytes, visit) {}
        reached = cursor.position(cursor.at)
        if !isTorn { finish(cursor) }
    }

    /// A segment without a header holds nothing, unless the log says that it must.
    private mutating func pass(blank part: SegmentPart, limit: UInt64?) {
        guard let limit, limit > part.basePosition else {
            return findings.note(part.path, "left by a writer that died before its first batch")
        }
        if mayTear(at: part.basePosition) { return tear(part.path, at: 0) }
        let lost = 0..<SegmentHeader.byteCount + Int(limit - part.basePosition)
        lose(
            part.path, at: 0, bytes: lost, expected: "a segment of \(lost.upperBound) bytes",
            found: "no segment header")
    }

    /// Retention, or recovery by another process, may have removed a segment meanwhile.
    private mutating func pass(unreadable part: SegmentPart, _ error: SystemError) {
        var ignored = Findings()
        let now = ControlState(scope, &ignored)
        if error.isNotFound,
            now.start ?? 0 > part.basePosition || now.epoch ?? 0 > control.epoch ?? .max
        {
            findings.note(part.path, "removed while it was to be verified")
            previousChecksum = nil
            isAfterGap = true
            return
        }
        lose(part.path, at: 0, expected: "a segment that can be read", found: error.reason)
    }

    /// Whether what does not hold at log position `position` was never promised: the machine went
    /// down, and nothing says that the place was durable before.
    mutating func mayTear(at position: UInt64) -> Bool {
        guard control.mayBeTorn, let durable = control.durable, position >= durable else {
            return false
        }
        let attested = attestation ?? Attestation(parts, from: position)
        attestation = attested
        return attested.durable(behind: position) <= position
    }

    /// The log ends at byte `at` of a segment: the rest was not on the disk when the machine went
    /// down.
    mutating func tear(_ path: String, at byte: Int) {
        findings.note(
            path,
            "torn from byte \(byte) on, when the machine went down; the next who opens the "
                + "partition drops what follows")
        isTorn = true
    }

    /// Takes the offset at which a segment says that it begins.
    private mutating func enter(_ part: SegmentPart) {
        defer { lastEpoch = part.epoch }
        guard let base = part.header?.baseOffset else {
            isAfterGap = true
            return
        }
        if base < nextOffset {
            findings.faults.append(
                TopicVerification.Fault(
                    .metadata, part.path, at: 32,
                    expected: "a base offset of at least \(nextOffset)", found: "\(base)"))
            return
        }
        // A new epoch may leave out offsets that a crash of the machine made unusable.
        if base > nextOffset, !isAfterGap, part.epoch == lastEpoch {
            findings.faults.append(
                TopicVerification.Fault(
                    .rows, part.path, at: 32, expected: "base offset \(nextOffset)",
                    found: "\(base)", lostOffsets: nextOffset..<base))
        }
        closeLosses(below: base)
        nextOffset = base
        isAfterGap = false
    }

    /// Reads one batch, or goes past damage; false at the end.
    private mutating func step(
        _ cursor: inout SegmentCursor, _ bytes: RawSpan,
        _ visit: (SegmentPart, BatchHeader, RawSpan) throws(LogError) -> Void
    ) throws(LogError) -> Bool {
        guard cursor.at < cursor.end, !cursor.isAtZeros(bytes) else { return false }
        switch SegmentCursor.header(cursor.at, bytes) {
        case .success(let header):
            return try take(header, &cursor, bytes, visit)
        case .failure(let fault):
            if mayTear(at: cursor.position(cursor.at)) {
                tear(cursor.part.path, at: cursor.at)
                return false
            }
            let search = BatchSearch(
                epoch: cursor.part.epoch, lowest: nextOffset,
                highest: cursor.next?.header?.baseOffset, following: cursor.next?.firstLink())
            let next = search.next(after: cursor.at, end: cursor.end, in: bytes)
            lose(
                cursor.part.path, at: cursor.at + fault.byte, bytes: cursor.at..<next,
                expected: fault.expected, found: fault.found)
            cursor.at = next
            return true
        }
    }

    /// Checks that the file reaches as far as the log says.
    private mutating func finish(_ cursor: SegmentCursor) {
        maxTimestamp = cursor.index.finish(cursor.part, prior: maxTimestamp, &findings)
        guard let wanted = cursor.wanted, wanted > cursor.size else { return }
        if mayTear(at: cursor.position(cursor.end)) {
            return tear(cursor.part.path, at: cursor.size)
        }
        if let last = openLosses.last, findings.faults[last].path == cursor.part.path,
            let lost = findings.faults[last].lostBytes, lost.upperBound == cursor.size
        {
            findings.faults[last].lostBytes = lost.lowerBound..<wanted
            return
        }
        let reason =
            cursor.next.map { ": the next segment is \($0.path), one may be missing" } ?? ""
        lose(
            cursor.part.path, at: cursor.size, bytes: cursor.size..<wanted,
            expected: "\(wanted) bytes" + reason, found: "\(cursor.size)")
    }
}
