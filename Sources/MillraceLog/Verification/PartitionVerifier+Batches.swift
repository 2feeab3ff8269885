internal import MillraceSystem

extension PartitionVerifier {
    /// Takes a batch whose header is intact; false when the log ends before it.
    mutating func take(
        _ header: BatchHeader, _ cursor: inout SegmentCursor, _ bytes: RawSpan,
        _ visit: (SegmentPart, BatchHeader, RawSpan) throws(LogError) -> Void
    ) throws(LogError) -> Bool {
        let at = cursor.at
        let path = cursor.part.path
        let whole = at..<at + header.batchBytes
        let batch = bytes.extracting(whole)
        let payload = check.fault(header, batch)
        let isChained = previousChecksum.map { $0 == header.previousChecksum } ?? true
        let isNext = isAfterGap || header.baseOffset == nextOffset
        if payload != nil || !isChained || !isNext, mayTear(at: cursor.position(at)) {
            tear(path, at: at)
            return false
        }
        if let fault = placeFault(header, cursor) {
            lose(
                path, at: at + fault.byte, bytes: whole, expected: fault.expected,
                found: fault.found)
            cursor.at = whole.upperBound
            return true
        }
        checkReach(whole.upperBound, cursor)
        if !isChained {
            record(
                .metadata, path, at,
                BatchHeaderFault(
                    byte: 16, expected: "previous checksum \(hex(previousChecksum ?? 0))",
                    found: hex(header.previousChecksum)))
        }
        follow(header, path, at)
        attest(header, cursor)
        cursor.at = whole.upperBound
        if let payload {
            record(.rows, path, at, payload)
            meaning.forgetProgress()
            let last = findings.faults.count - 1
            findings.faults[last].lostBytes = whole
            if header.rows > 0 {
                findings.faults[last].lostOffsets = header.baseOffset..<nextOffset
            }
            return true
        }
        if let byte = BatchCheck.dirtyPadding(header, batch) {
            record(
                .metadata, path, at,
                BatchHeaderFault(byte: byte, expected: "padding of zeros", found: "another byte"))
        }
        if let fault = meaning.fault(header) { record(.metadata, path, at, fault) }
        findings.counts.batches += 1
        findings.counts.rows += UInt64(header.rows)
        findings.counts.bytes += UInt64(header.batchBytes)
        cursor.index.add(header, at: cursor.position(at))
        try visit(cursor.part, header, batch)
        return true
    }

    /// Why an intact batch cannot be where it is.
    private func placeFault(_ header: BatchHeader, _ cursor: SegmentCursor) -> BatchHeaderFault? {
        if header.epoch != cursor.part.epoch {
            return BatchHeaderFault(
                byte: 20, expected: "epoch \(cursor.part.epoch)", found: "\(header.epoch)")
        }
        if header.baseOffset < nextOffset {
            return BatchHeaderFault(
                byte: 32, expected: "a base offset of at least \(nextOffset)",
                found: "\(header.baseOffset)")
        }
        if let next = cursor.next, cursor.at + header.batchBytes > cursor.end {
            return BatchHeaderFault(
                byte: 24,
                expected: "a batch that ends before log position \(next.basePosition), where "
                    + "\(next.path) begins", found: "\(header.batchBytes) bytes")
        }
        return nil
    }

    /// A batch that begins before the published end ends there or before it.
    private mutating func checkReach(_ end: Int, _ cursor: SegmentCursor) {
        guard let wanted = cursor.wanted, end > wanted else { return }
        findings.faults.append(
            TopicVerification.Fault(
                .metadata, scope.directory + "/control", at: ControlPage.publishedByte,
                expected: "a published end of at least \(cursor.position(end)), where the last "
                    + "batch ends", found: "\(cursor.position(wanted))"))
    }

    /// Moves behind a batch, whose offsets must follow those before.
    private mutating func follow(_ header: BatchHeader, _ path: String, _ at: Int) {
        if header.baseOffset > nextOffset, !isAfterGap {
            record(
                .rows, path, at,
                BatchHeaderFault(
                    byte: 32, expected: "base offset \(nextOffset)",
                    found: "\(header.baseOffset)"))
            findings.faults[findings.faults.count - 1].lostOffsets =
                nextOffset..<header.baseOffset
        }
        closeLosses(below: header.baseOffset)
        nextOffset = header.baseOffset + UInt64(header.rows)
        isAfterGap = false
        previousChecksum = header.checksum
        lastBase = header.baseOffset
    }

    /// Takes what the batch says was durable when it was appended: something before it.
    private mutating func attest(_ header: BatchHeader, _ cursor: SegmentCursor) {
        let position = cursor.position(cursor.at)
        guard header.durable > position else {
            attested = max(attested, header.durable)
            return
        }
        record(
            .metadata, cursor.part.path, cursor.at,
            BatchHeaderFault(
                byte: 120, expected: "a durable position of at most \(position)",
                found: "\(header.durable)"))
    }

    private mutating func record(
        _ effect: TopicVerification.Effect, _ path: String, _ at: Int, _ fault: BatchHeaderFault
    ) {
        findings.faults.append(
            TopicVerification.Fault(
                effect, path, at: at + fault.byte, expected: fault.expected, found: fault.found))
    }
}
