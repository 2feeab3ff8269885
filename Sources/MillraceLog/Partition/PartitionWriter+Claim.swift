internal import MillraceSystem

extension PartitionWriter {
    /// With a claim: the source offset to go on from, as the output tells; nil without one.
    public var claimedEnd: UInt64? { cursor.claim.map { cursor.lastOfClaim?.end ?? $0.start } }

    /// Takes the claim over from where the earlier owner got to; with `now` it shuts that owner
    /// out.
    ///
    /// It then appends a batch without rows unless the newest batch is of this generation already.
    /// What an earlier owner appended comes before it and counts; what it tries afterwards is
    /// refused.
    mutating func stakeClaim(now: Bool) throws(LogError) {
        guard let claim = cursor.claim else { return }
        inherited = cursor.lastOfClaim
        if let mark = inherited, mark.generation > claim.generation {
            throw fenced(claim, mark.generation)
        }
        guard now else { return }
        var holding = try lock()
        defer { unlock(holding) }
        while true {
            try enter(&holding)
            let mark = cursor.lastOfClaim
            if let mark, mark.generation >= claim.generation {
                guard mark.generation == claim.generation else {
                    throw fenced(claim, mark.generation)
                }
                return
            }
            var origin = BatchOrigin()
            origin.group = claim.group
            origin.source = claim.source
            origin.sourcePartition = claim.partition
            origin.generation = claim.generation
            origin.begin = claim.isReset ? claim.start : mark?.end ?? claim.start
            origin.end = origin.begin
            var builder = BatchBuilder()
            builder.origin = origin
            if try place(&builder, producer: 0, &holding) != nil { return }
            unlock(holding)
            holding = try lock()
        }
    }

    /// Refuses the batch prepared last, if the claim covers it, once another has taken the claim over.
    ///
    /// Called under the append lock, when everything before the batch is known.
    @inline(__always)
    mutating func checkClaim() throws(LogError) {
        guard let claim = cursor.claim, let origin = encoder.header.origin, claim.covers(origin)
        else { return }
        let mark = cursor.lastOfClaim
        // Until the first batch of this generation, the newest one is that of the opening.
        guard mark?.generation == claim.generation || mark == inherited,
            origin.generation == claim.generation
        else { throw fenced(claim, mark?.generation ?? 0) }
        let end = mark?.end ?? 0
        guard origin.begin >= end else {
            throw LogError(
                .invalidArgument,
                "topic '\(files.topic)', partition \(files.partition): the batch is made of source "
                    + "rows from \(origin.begin) on, but rows before \(end) have their outcome "
                    + "already",
                path: files.directory)
        }
    }

    private func fenced(_ claim: ClaimKey, _ newest: UInt32) -> LogError {
        LogError(
            .fenced,
            "topic '\(files.topic)', partition \(files.partition): output of generation "
                + "\(claim.generation) was refused, generation \(newest) of the group owns the "
                + "source partition now; the member must join again",
            path: files.directory)
    }
}
