import MillraceGroups
import MillraceSystem

/// A group, its members, their partitions and one output, all in one thread and under one seed.
///
/// What is real: `GroupState`, which makes every decision. What is played: the word that stands for
/// the state (a member reads it, decides, and replaces it if nobody was faster), the owner's words
/// of each partition, the output's lock and tail, the kernel's locks, the clock. A member takes one
/// step at a time, so that it may be stopped or killed between any two: between its look at the
/// state and its change of it, between its check and its append.
struct GroupSimulation {
    /// What one member is about to do.
    enum Step: Equatable {
        /// Ask what has changed.
        case look
        /// Publish a change that was decided on an older state.
        case publish(seen: UInt64, next: GroupState)
        /// Become the owner of a partition in its words.
        case activate(Int, GroupState.Partition)
        /// Shut earlier owners out of the output and learn its tail.
        case stake(Int, UInt32)
        /// Read a batch of a partition.
        case work(Int)
        /// Append what was made of rows, having checked before that one is the owner.
        case append(Int, from: Int, to: Int)
        case commit(Int, Int)
        /// Commit all that one owns in one record; decide on it, publish it, then say so oneself.
        case joint
        case publishJoint(seen: UInt64, next: GroupState, positions: [Int: UInt64])
        case fold(Int, GroupState.Tenure, UInt64?)
    }

    struct Held: Equatable {
        var generation: UInt32
        var next: Int
        /// What the output's newest batch said when the partition was taken over.
        var inherited: (generation: UInt32, end: Int)

        static func == (left: Held, right: Held) -> Bool {
            left.generation == right.generation && left.next == right.next
        }
    }

    struct Actor {
        var process: ProcessIdentity
        var key: UInt32 = 0
        var number: Int
        var instance: String?
        var steps: [Step] = [.look]
        var held: [Int: Held] = [:]
        var isStopped = false
        var isLeaving = false
        /// When it last took a step.
        var moved: Int64 = 0
    }

    /// The output of a partition: its rows' outcomes, and what its newest batch says.
    struct Output {
        var outcomes: [Int] = []
        var generation: UInt32 = 0
        var end = 0
    }

    static let hang: Int64 = 1000
    static let grace: Int64 = 3000
    private(set) var random: SplitMix64
    private(set) var state = GroupState()
    private var word: UInt64 = 0
    private(set) var actors: [Actor] = []
    /// The owner's words of each partition.
    private var tenures: [GroupState.Tenure]
    /// The largest offset of each partition whose commit was taken.
    private var taken: [UInt64]
    private(set) var outputs: [Output]
    /// The newest generation whose owner has learnt the output's tail: none before it may append.
    private var staked: [UInt32]
    private var source: [Int]
    private var now: Int64 = 1
    private var pids: Int32 = 0
    /// Who activated which partition in which generation.
    private var owners: [UInt64: UInt32] = [:]
    private(set) var faults: [String] = []
    private let assignor: Assignor
    let partitions: Int

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        partitions = 1 + Int(random.next() % 6)
        assignor = Assignor.allCases[Int(random.next() % UInt64(Assignor.allCases.count))]
        let nobody = GroupState.Tenure(generation: 0, next: nil)
        tenures = Array(repeating: nobody, count: partitions)
        taken = Array(repeating: 0, count: partitions)
        outputs = Array(repeating: Output(), count: partitions)
        staked = Array(repeating: 0, count: partitions)
        source = Array(repeating: 0, count: partitions)
    }

    private mutating func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }

    // MARK: The world

    /// One thing that happens.
    mutating func happen() {
        now += Int64(random.next() % 20)
        switch random.next() % 100 {
        case 0..<4 where actors.count < 5: start()
        case 4..<6: if let index = pick() { actors.remove(at: index) }  // SIGKILL
        case 6..<9: if let index = pick() { actors[index].isStopped = true }
        case 9..<12: if let index = pick() { actors[index].isStopped = false }
        case 12..<14: if let index = pick() { actors[index].isLeaving = true }
        case 14..<24: source[Int(random.next() % UInt64(partitions))] += 1
        case 24..<32: observe()
        default: if let index = pick(), !actors[index].isStopped { step(index) }
        }
        check()
    }

    private mutating func pick() -> Int? {
        actors.isEmpty ? nil : Int(random.next() % UInt64(actors.count))
    }

    private mutating func start() {
        let numbers = Set(actors.map(\.number))
        guard let number = (0..<16).first(where: { !numbers.contains($0) }) else { return }
        pids += 1
        let instance: String? = chance(40) ? "instance-\(random.next() % 3)" : nil
        var actor = Actor(
            process: ProcessIdentity(pid: pids, startTime: UInt64(now), namespace: 1),
            number: number, instance: instance)
        actor.moved = now
        var next = state
        next.observe(dead: dead(in: next), hung: [], now: now)
        guard let key = join(&next, actor) else { return }
        actor.key = key
        actors.append(actor)
        publish(next)
    }

    private func join(_ next: inout GroupState, _ actor: Actor) -> UInt32? {
        let candidate = GroupState.Candidate(
            number: actor.number,
            id: MemberID(actor.instance ?? "\(actor.process.pid)-\(next.nextKey)"),
            process: actor.process, core: 0, isStatic: actor.instance != nil,
            graceNanoseconds: actor.instance == nil ? 0 : Self.grace, hangNanoseconds: Self.hang)
        let subscription = GroupState.Subscription(
            assignor: assignor, isExclusive: false, topics: ["t"], outputs: ["o"])
        do throws(GroupState.Refusal) {
            return try next.join(
                [candidate], subscription,
                [GroupState.TopicShape(name: "t", id: 1, partitions: partitions)]
            ).first
        } catch {
            // Another lives under the same instance id.
            return nil
        }
    }

    private func dead(in state: GroupState) -> [UInt32] {
        state.members.filter { member in
            !member.isAway && !actors.contains { $0.process == member.process }
        }.map(\.key)
    }

    /// Some member, or somebody who only looks, tells the group what is to be seen.
    private mutating func observe() {
        var next = state
        let hung = actors.filter { now - $0.moved > Self.hang }.map(\.key)
        next.observe(dead: dead(in: next), hung: hung, now: now)
        publish(next)
    }

    private mutating func publish(_ next: GroupState, isCommit: Bool = false) {
        guard next != state else { return }
        if !isCommit, next.generation <= state.generation {
            faults.append("the generation did not grow")
        }
        var folded = next
        for index in folded.partitions.indices {
            folded.partitions[index].committed =
                folded.partitions[index].committed(given: tenures[index])
        }
        state = folded
        word += 1
    }

    // MARK: A member

    private mutating func step(_ index: Int) {
        var actor = actors[index]
        actor.moved = now
        let step = actor.steps.isEmpty ? .look : actor.steps.removeFirst()
        let isGone = take(step, &actor)
        if isGone { actors.remove(at: index) } else { actors[index] = actor }
    }

    private mutating func take(_ step: Step, _ actor: inout Actor) -> Bool {
        switch step {
        case .look: return look(&actor)
        case .publish(let seen, let next):
            // As a compare-exchange: who was faster is taken into account by looking again.
            if seen == word { publish(next) }
        case .activate(let partition, let seen):
            let generation = seen.generation
            guard tenures[partition].generation < generation else { break }
            let key = UInt64(generation) << 16 | UInt64(partition)
            if let other = owners[key], other != actor.key {
                faults.append("generation \(generation) of \(partition) had two owners")
            }
            owners[key] = actor.key
            tenures[partition] = GroupState.Tenure(
                generation: generation, next: seen.committed(given: tenures[partition]))
            actor.steps.append(.stake(partition, generation))
        case .stake(let partition, let generation):
            let output = outputs[partition]
            if output.generation > generation { break }
            if state.partitions[partition].isContested {
                outputs[partition].generation = generation
            }
            staked[partition] = max(staked[partition], generation)
            actor.held[partition] = Held(
                generation: generation, next: output.end,
                inherited: (output.generation, output.end))
        case .work(let partition):
            guard let held = actor.held[partition], held.next < source[partition] else { break }
            let rows = min(source[partition] - held.next, 1 + Int(random.next() % 3))
            actor.steps.append(.append(partition, from: held.next, to: held.next + rows))
        case .append(let partition, let from, let to):
            guard let held = actor.held[partition] else { break }
            append(partition, held, from, to, &actor)
        case .commit(let partition, let next):
            guard let held = actor.held[partition],
                tenures[partition].generation == held.generation
            else { break }
            tenures[partition].next = UInt64(next)
            taken[partition] = max(taken[partition], UInt64(next))
        default: takeJoint(step, &actor)
        }
        return false
    }

    /// A commit of all that a member owns, step by step.
    private mutating func takeJoint(_ step: Step, _ actor: inout Actor) {
        switch step {
        case .joint:
            var next = state
            var positions: [Int: UInt64] = [:]
            for (index, held) in actor.held {
                let partition = state.partitions[index]
                guard partition.owner == actor.key, partition.generation == held.generation,
                    tenures[index].generation == held.generation
                else { return }
                positions[index] = UInt64(held.next)
                next.partitions[index].committed = UInt64(held.next)
                next.partitions[index].superseded = tenures[index]
            }
            actor.steps.insert(.publishJoint(seen: word, next: next, positions: positions), at: 0)
        case .publishJoint(let seen, let next, let positions):
            guard seen == word else { break }
            for (index, offset) in positions.sorted(by: { $0.key < $1.key }) {
                actor.steps.insert(.fold(index, tenures[index], offset), at: 0)
                taken[index] = max(taken[index], offset)
            }
            publish(next, isCommit: true)
        case .fold(let index, let tenure, let offset):
            if tenures[index] == tenure { tenures[index].next = offset }
        default: preconditionFailure("no step of a commit")
        }
    }

    /// What the log does under its append lock: refuses all but the newest owner's.
    private mutating func append(
        _ partition: Int, _ held: Held, _ from: Int, _ to: Int, _ actor: inout Actor
    ) {
        let mark = (generation: outputs[partition].generation, end: outputs[partition].end)
        guard mark.generation == held.generation || mark == held.inherited, from >= mark.end else {
            actor.held[partition] = nil
            return
        }
        if held.generation < staked[partition] {
            faults.append("an earlier owner of partition \(partition) has appended")
        }
        outputs[partition].generation = held.generation
        outputs[partition].outcomes += Array(from..<to)
        outputs[partition].end = to
        actor.held[partition]?.next = to
        actor.steps.append(chance(25) ? .joint : .commit(partition, to))
    }

    private mutating func look(_ actor: inout Actor) -> Bool {
        guard let me = state.member(actor.key), !me.isAway else {
            actor.held = [:]
            var next = state
            next.observe(dead: dead(in: next), hung: [], now: now)
            guard let key = join(&next, actor) else { return true }
            actor.key = key
            publish(next)
            return false
        }
        if actor.isLeaving {
            var next = state
            next.leave([actor.key], now: now)
            publish(next)
            return true
        }
        var released: [(index: Int, generation: UInt32)] = []
        for (index, held) in actor.held.sorted(by: { $0.key < $1.key }) {
            let partition = state.partitions[index]
            if partition.owner != actor.key || partition.generation != held.generation {
                actor.held[index] = nil
            } else if partition.target != actor.key {
                actor.held[index] = nil
                released.append((index, held.generation))
            }
        }
        for index in state.owned(by: actor.key) where actor.held[index] == nil {
            let partition = state.partitions[index]
            if partition.target != actor.key {
                released.append((index, partition.generation))
            } else if !released.contains(where: { $0.index == index }) {
                let isActive = tenures[index].generation == partition.generation
                actor.steps.append(
                    isActive
                        ? .stake(index, partition.generation)
                        : .activate(index, partition))
            }
        }
        if !released.isEmpty {
            var next = state
            next.release(released, by: actor.key)
            actor.steps.append(.publish(seen: word, next: next))
        }
        for partition in actor.held.keys.sorted() { actor.steps.append(.work(partition)) }
        return false
    }

    // MARK: What must hold

    private mutating func check() {
        for index in state.partitions.indices {
            let partition = state.partitions[index]
            if partition.owner != 0, state.member(partition.owner) == nil {
                faults.append("partition \(index) belongs to a member that is not there")
            }
            if partition.generation > state.generation {
                faults.append("partition \(index) is of a generation to come")
            }
        }
        for index in state.partitions.indices {
            let committed = state.partitions[index].committed(given: tenures[index]) ?? 0
            if committed < taken[index] {
                faults.append("partition \(index): \(committed), though \(taken[index]) was taken")
            }
        }
        for (index, output) in outputs.enumerated()
        where output.outcomes.count != output.end || (output.outcomes.last ?? -1) != output.end - 1
        {
            faults.append("partition \(index): \(output.outcomes) end at \(output.end)")
        }
        let active = actors.flatMap { actor in
            actor.held.filter { staked[$0.key] == $0.value.generation }.map(\.key)
        }
        if Set(active).count != active.count { faults.append("two members may append: \(active)") }
    }

    /// Lets everybody go on, and nobody come or go, until all is done: every partition has its
    /// owner and every row its outcome.
    mutating func settle() {
        for index in actors.indices {
            actors[index].isStopped = false
            actors[index].isLeaving = false
        }
        if actors.isEmpty { while actors.isEmpty { startLast() } }
        for _ in 0..<4000 {
            now += 7
            observe()
            for index in actors.indices.reversed() where index < actors.count { step(index) }
            check()
            if actors.isEmpty { startLast() }
            let isDone = outputs.indices.allSatisfy { outputs[$0].end == source[$0] }
            let isHeld = state.partitions.indices.allSatisfy { index in
                actors.contains { $0.key == state.partitions[index].owner }
            }
            if isDone, isHeld, state.isSettled { return }
        }
        faults.append("does not settle: \(state), \(actors)")
    }

    private mutating func startLast() {
        now += Self.grace + Self.hang
        observe()
        start()
    }
}
