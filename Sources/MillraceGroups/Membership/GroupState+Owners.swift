internal import MillraceSystem

/// How partitions change hands, and what was committed for them.
extension GroupState {
    /// Takes note that `key` has stopped work on partitions that it owned under these generations.
    ///
    /// What it does not own any more is left alone.
    package mutating func release(
        _ partitions: [(index: Int, generation: UInt32)], by key: UInt32
    ) {
        let before = self
        for (index, generation) in partitions
        where self.partitions[index].owner == key
            && self.partitions[index].generation == generation
        {
            self.partitions[index].owner = 0
        }
        finish(after: before)
    }

    /// Says for each partition who is to own it; members that are waited for keep theirs.
    mutating func share() {
        let read = partitions.indices.filter { partitions[$0].isRead }
        var owners: [TopicPartition: MemberID] = [:]
        let names = Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.id) })
        for index in read { owners[partitions[index].partition] = names[partitions[index].target] }
        let assignment = subscription.assignor.assign(
            members: members.map(\.id), partitions: read.map { partitions[$0].partition },
            previous: Assignment(members: [], owners: owners))
        let keys = Dictionary(uniqueKeysWithValues: members.map { ($0.id, $0.key) })
        for index in partitions.indices {
            let target = assignment.owner(of: partitions[index].partition)
            partitions[index].target =
                partitions[index].isRead ? target.flatMap { keys[$0] } ?? 0 : 0
        }
    }

    /// The generation behind this one; a last one, which `GroupFiles.publish` refuses, stays.
    var nextGeneration: UInt32 { generation.adding(clamped: 1) }

    /// Begins a generation if anything has changed, and gives free partitions to their targets.
    mutating func finish(after before: GroupState) {
        guard self != before else { return }
        generation = nextGeneration
        let present = Set(members.lazy.filter { !$0.isAway }.map(\.key))
        for index in partitions.indices
        where partitions[index].owner == 0 && present.contains(partitions[index].target) {
            partitions[index].owner = partitions[index].target
            partitions[index].generation = generation
        }
    }

    /// Whether nobody is in the group who could be at work.
    package var isIdle: Bool { members.allSatisfy(\.isAway) }

    /// Sets what the group reads next; for a group that nobody is in.
    package mutating func reset(_ offsets: [(index: Int, next: UInt64?)]) {
        guard !offsets.isEmpty else { return }
        generation = nextGeneration
        for (index, next) in offsets {
            partitions[index].committed = next
            partitions[index].superseded = nil
            partitions[index].validFrom = generation
        }
    }

    /// Forgets the group, all but the generation; for a group that nobody is in.
    package mutating func delete() {
        let generation = nextGeneration
        let nextKey = nextKey
        self = GroupState()
        self.generation = generation
        self.nextKey = nextKey
    }

    /// What a new boot finds: nobody lives, and generations below `floor` may have been used.
    package mutating func restart(floor: UInt32) {
        members = []
        for index in partitions.indices {
            partitions[index].owner = 0
            partitions[index].target = 0
            partitions[index].isContested = false
        }
        generation = max(generation, floor)
        generation = nextGeneration
    }
}
