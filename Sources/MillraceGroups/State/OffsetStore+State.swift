internal import MillraceSystem

extension OffsetStore {
    /// What the store's lock protects.
    struct State: ~Copyable {
        private let group: String
        private let path: String
        private var file: FileHandle
        private var slotBytes: Int
        /// The slot of the newest record.
        private var newestSlot = 0
        /// The slot of the newest record that is known to be on the disk.
        private var durableSlot = 0
        private var sequence: UInt64
        private(set) var generation: UInt32
        /// What the newest record says, and partitions that were registered since.
        private var entries: [OffsetRecord.Entry]
        private var indices: [TopicPartition: Int]
        /// The next record, and where in it each partition's offset lies.
        private var record: [UInt8]
        private var positions: [Int]
        /// Entries whose offset in `record` is not yet in `entries`; keeps its capacity.
        private var staged: [Int] = []
        /// Why the file can no longer be relied on: after a sync that failed, the kernel may have
        /// dropped what it could not write.
        private var failure: SystemError?

        /// Writes `record`, with the next sequence number, to a fresh file at `path`.
        init(group: String, path: String, record: OffsetRecord) throws(GroupError) {
            var record = record
            record.sequence += 1
            record.committedAt = Clock.wallNanoseconds()
            self.group = group
            self.path = path
            sequence = record.sequence
            generation = record.generation
            entries = record.entries
            indices = Dictionary(
                uniqueKeysWithValues: zip(entries.map(\.partition), entries.indices))
            (self.record, positions) = record.unsealed()
            OffsetRecord.seal(&self.record)
            slotBytes = OffsetFile.slotBytes(forRecord: self.record.count)
            file = try Self.create(path, group, self.record, slotBytes: slotBytes)
            staged.reserveCapacity(entries.count)
        }

        private static func create(
            _ path: String, _ group: String, _ record: [UInt8], slotBytes: Int
        ) throws(GroupError) -> FileHandle {
            do throws(SystemError) {
                try Files.writeDurably(
                    path, OffsetFile.bytes(record: record, slotBytes: slotBytes))
                return try FileHandle(path, .readWrite)
            } catch {
                throw .system(error, group: group)
            }
        }

        func index(of partition: TopicPartition) -> Int? { indices[partition] }

        func committed(_ index: Int) -> UInt64? {
            entries[index].next == OffsetRecord.none ? nil : entries[index].next
        }

        func committed() -> [CommittedOffset] { CommittedOffset.all(in: entries) }

        func checkGeneration(_ generation: UInt32) throws(GroupError) {
            guard generation == self.generation else {
                throw .fenced(group, generation: generation, current: self.generation)
            }
        }

        /// Adds the partitions that are new; what the file says does not change until a commit.
        mutating func register(
            _ topic: String, id: UInt64, _ count: Int
        ) throws(GroupError) -> [Handle] {
            var handles: [Handle] = []
            var isChanged = false
            for index in entries.indices
            where entries[index].partition.topic == topic && entries[index].topicID != id {
                entries[index].topicID = id
                entries[index].next = OffsetRecord.none
                isChanged = true
            }
            for partition in TopicPartition.all(of: topic, count: count) {
                precondition(OffsetRecord.canHold(partition), "no such partition: \(partition)")
                let index = indices[partition] ?? entries.count
                if index == entries.count {
                    indices[partition] = index
                    entries.append(
                        .init(partition: partition, topicID: id, next: OffsetRecord.none))
                    isChanged = true
                }
                handles.append(Handle(index: index))
            }
            if isChanged { try rebuildRecord() }
            return handles
        }

        private mutating func rebuildRecord() throws(GroupError) {
            staged.reserveCapacity(entries.count)
            (record, positions) =
                OffsetRecord(
                    sequence: sequence, generation: generation, committedAt: 0, entries: entries
                ).unsealed()
            if record.count > slotBytes { try grow() }
        }

        /// Puts a fresh file with larger slots in place of this one.
        private mutating func grow() throws(GroupError) {
            prepareRecord()
            slotBytes = OffsetFile.slotBytes(forRecord: record.count)
            do throws(GroupError) {
                file = try Self.create(path, group, record, slotBytes: slotBytes)
            } catch {
                // Which of the two files has the name now is not known.
                failure = error.cause
                throw error
            }
            sequence += 1
            newestSlot = 0
            durableSlot = 0
        }

        /// Puts one partition's offset into the next record.
        mutating func stage(_ index: Int, next: UInt64?) {
            precondition(next != OffsetRecord.none, "the highest offset stands for none")
            let next = next ?? OffsetRecord.none
            LittleEndian.store(next, into: &record, at: positions[index])
            staged.append(index)
        }

        /// Writes the next record to a slot that no crash needs.
        ///
        /// When it cannot be written, what was staged is taken back: the slot holds half of
        /// something, but neither the newest nor the newest durable record was in it.
        mutating func commit(durable: Bool) throws(GroupError) {
            defer { staged.removeAll(keepingCapacity: true) }
            do throws(SystemError) {
                if let failure { throw failure }
                prepareRecord()
                let slot = freeSlot
                // SAFETY: every byte of a `UInt8` is initialised; there is no padding.
                try unsafe file.write(record.span.bytes, at: slot * slotBytes)
                newestSlot = slot
            } catch {
                for index in staged {
                    LittleEndian.store(entries[index].next, into: &record, at: positions[index])
                }
                throw .system(error, group: group)
            }
            sequence += 1
            for index in staged {
                entries[index].next = LittleEndian.load(record.span, at: positions[index])
            }
            if durable { try sync() }
        }

        private var freeSlot: Int {
            var slot = 0
            while slot == newestSlot || slot == durableSlot { slot += 1 }
            return slot
        }

        private mutating func prepareRecord() {
            LittleEndian.store(sequence + 1, into: &record, at: 24)
            LittleEndian.store(Clock.wallNanoseconds(), into: &record, at: 40)
            OffsetRecord.seal(&record)
        }

        mutating func sync() throws(GroupError) {
            do throws(SystemError) {
                if let failure { throw failure }
                try file.syncData()
                durableSlot = newestSlot
            } catch {
                failure = error
                throw .system(error, group: group)
            }
        }

        mutating func advance(to generation: UInt32) throws(GroupError) {
            LittleEndian.store(generation, into: &record, at: 32)
            do throws(GroupError) { try commit(durable: true) } catch {
                LittleEndian.store(self.generation, into: &record, at: 32)
                throw error
            }
            self.generation = generation
        }
    }
}
