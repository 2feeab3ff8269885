internal import MillraceSystem

/// What retention does to a partition at one moment.
struct RetentionPlan {
    /// Segments to remove, the oldest first.
    private(set) var doomed: [SegmentEntry] = []
    /// Whether the newest segment is too old as a whole, and is to be closed first.
    private(set) var mustRoll = false
    /// Log position at which the log begins afterwards.
    private(set) var start: UInt64

    /// Plans for the segments of `list`, of which everything up to `published` is published.
    ///
    /// `held` is the log position of the slowest reader to wait for.
    init(
        _ policy: RetentionPolicy, _ list: SegmentList, published: UInt64, held: UInt64?,
        newestAppend: Int64, now: Int64
    ) {
        start = list.entries.first?.header.basePosition ?? 0
        for index in list.entries.indices {
            let entry = list.entries[index]
            let isNewest = index == list.entries.count - 1
            let end = list.limit(of: index, published: published)
            let behind = Int(published - end)
            let isEnough = policy.bytes.map { behind >= $0 && !isNewest } ?? false
            // The newest row of a segment is older than the segment behind it.
            let lastAppend = isNewest ? newestAppend : list.entries[index + 1].header.createdAt
            let age = now.subtracting(clamped: lastAppend)
            let isOld = policy.milliseconds.map { age > Int64($0) * 1_000_000 } ?? false
            guard isEnough || isOld && end > entry.header.basePosition else { return }
            // Another writer has gone on meanwhile: the segment does not end where we think.
            guard isNewest || end == list.entries[index + 1].header.basePosition else { return }
            let size = Int(published - entry.header.basePosition)
            if let held, held < end, size <= policy.heldBytes ?? 0 { return }
            if isNewest { mustRoll = true }
            doomed.append(entry)
            start = end
        }
    }
}

extension RetentionPlan {
    /// Plans for a partition as it is now.
    init(
        _ files: PartitionFiles, _ policy: RetentionPolicy, _ control: borrowing ControlPage
    ) throws(LogError) {
        let held = policy.heldBytes == nil ? nil : try ReaderHold.lowest(files.holds)
        self = try files.withView(control) { (view) throws(LogError) in
            let newest = policy.milliseconds == nil ? .max : try Self.newestAppend(view, files)
            return RetentionPlan(
                policy, view.list, published: view.published.position, held: held,
                newestAppend: newest, now: Clock.wallNanoseconds())
        }
    }

    /// When the last batch was appended; far ahead when there is none in the newest segment.
    private static func newestAppend(
        _ view: LogView, _ files: PartitionFiles
    ) throws(LogError) -> Int64 {
        let published = view.published.position
        guard let newest = view.list.entries.last, published > newest.header.basePosition else {
            return .max
        }
        let segment = try files.open(newest)
        let slots = SegmentIndex(segmentPath: newest.path, header: newest.header)
        let start = slots.start(atPosition: published, in: segment, limit: published)
        var walk = try BatchWalk(segment, from: start.position, limit: published)
        var last = newest.header.createdAt
        while let header = try walk.next() { last = header.appendedAt }
        return last
    }
}

/// What must stay known of batches that are removed.
struct ProgressMarks {
    /// Of each producer, and of each group and source partition, the newest batch.
    private(set) var newest: [Key: BatchHeader] = [:]

    enum Key: Hashable {
        case producer(UInt32)
        case source(group: UInt32, source: UInt32, partition: UInt32)
    }

    /// Takes note of a batch; later ones replace earlier ones.
    private mutating func pass(_ header: BatchHeader) {
        for key in Self.keys(of: header) { newest[key] = header }
    }

    /// Forgets what a kept batch tells.
    private mutating func drop(_ header: BatchHeader) {
        for key in Self.keys(of: header) { newest[key] = nil }
    }

    /// What to tell anew: each producer's newest sequence, each source's newest origin.
    ///
    /// A batch that is the newest of its producer but not of its source, or the other way round,
    /// tells only that.
    var batches: [BatchHeader] {
        var told: [UInt32: BatchHeader] = [:]
        for (key, header) in newest {
            var mark = told[header.checksum] ?? header
            if told[header.checksum] == nil {
                mark.producer = 0
                mark.origin = nil
            }
            switch key {
            case .producer(let producer): mark.producer = producer
            case .source: mark.origin = header.origin
            }
            told[header.checksum] = mark
        }
        return told.values.sorted { ($0.baseOffset, $0.checksum) < ($1.baseOffset, $1.checksum) }
    }

    /// Goes over the batches at log positions `from ..< to`: what those below `start` tell is to be
    /// told anew, unless a later one does.
    mutating func scan(
        _ list: SegmentList, _ files: PartitionFiles, from: UInt64, to: UInt64,
        doomedBelow start: UInt64
    ) throws(LogError) {
        for index in list.entries.indices {
            let entry = list.entries[index]
            let first = max(from, entry.header.basePosition)
            let limit = list.limit(of: index, published: to)
            guard first < limit else { continue }
            let isDoomed = entry.header.basePosition < start
            var walk = try BatchWalk(files.open(entry), from: first, limit: limit)
            while let header = try walk.next() {
                if isDoomed { pass(header) } else { drop(header) }
            }
            if !isDoomed, newest.isEmpty { return }
        }
    }

    private static func keys(of header: BatchHeader) -> [Key] {
        var keys: [Key] = []
        if header.producer != 0 { keys.append(.producer(header.producer)) }
        if let origin = header.origin, origin.source != 0 {
            keys.append(
                .source(
                    group: origin.group, source: origin.source,
                    partition: origin.sourcePartition))
        }
        return keys
    }
}

extension PartitionWriter {
    /// Removes what the topic's retention policy lets go.
    ///
    /// First what producers and stages must find is appended anew and made durable, then the new
    /// start of the log is recorded, then the files go: a death in between leaves more, not less.
    /// Returns how many segments were removed.
    @discardableResult
    public mutating func applyRetention() throws(LogError) -> Int {
        guard configuration.retention.isActive else { return 0 }
        try removeLeftovers()
        for _ in 0..<Self.retentionAttempts {
            if let removed = try retain() { return removed }
        }
        return 0
    }

    /// How often retention looks again when others move the log's start, or begin to hold rows,
    /// meanwhile.
    private static let retentionAttempts = 8

    /// Removes what is to go now; nil when a reader began to hold rows, or another moved the start,
    /// after we had looked.
    private mutating func retain() throws(LogError) -> Int? {
        let start = try control.startValue()
        let plan = try RetentionPlan(files, configuration.retention, control)
        guard !plan.doomed.isEmpty else { return 0 }
        if plan.mustRoll {
            try closeSegment()
            // Another writer may have appended to the segment since it was found too old.
            guard list.entries.contains(where: { $0.header.basePosition == plan.start }) else {
                return 0
            }
        }
        guard try restate(plan) else { return 0 }
        try flush()
        guard let offset = try flusher.syncSegment(at: plan.start, control) else { return 0 }
        // Before the start: rows below it must count as removed, and not as lost, from then on.
        // When the start then does not move, it is only asked for rows that are in no segment.
        ControlPage.raise(control.startOffset, to: offset)
        guard control.moveStart(from: start, to: plan.start) else { return nil }
        try files.sync(control)
        try files.remove(plan.doomed.map(\.path))
        control.segments.add(1)
        return plan.doomed.count
    }

    /// Removes what a writer that died half-way through this left before the start of the log.
    private func removeLeftovers() throws(LogError) {
        let start = try control.startPosition()
        let leftovers = try files.segments(from: start).leftovers
        try files.remove(
            leftovers.filter { path in
                let name = String(path.dropFirst(files.directory.count + 1))
                return Segment.basePosition(ofName: name).map { $0 < start } ?? false
            })
    }

    /// Appends anew what only doomed batches tell; false when another writer came in between.
    private mutating func restate(_ plan: RetentionPlan) throws(LogError) -> Bool {
        let (found, scanned) = try files.withView(control) { (view) throws(LogError) in
            let published = view.published.position
            var marks = ProgressMarks()
            try marks.scan(view.list, files, from: 0, to: published, doomedBelow: plan.start)
            return (marks, published)
        }
        if found.newest.isEmpty { return true }
        var marks = found
        var holding = try lock()
        defer { unlock(holding) }
        try enter(&holding)
        // A producer may have gone on while we looked.
        do throws(LogError) {
            try marks.scan(list, files, from: scanned, to: seen.position, doomedBelow: plan.start)
        } catch {
            // Another removes what we would: it has told anew what is to be told.
            _ = try files.segments(instead: list, control, after: error)
            return false
        }
        var builder = BatchBuilder()
        for mark in marks.batches {
            builder.origin = mark.origin ?? BatchOrigin()
            builder.sequence = mark.sequence
            let base = try place(&builder, producer: mark.producer, &holding)
            guard base != nil else { return false }
            builder.reset()
        }
        return true
    }
}
