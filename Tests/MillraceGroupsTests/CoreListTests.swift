import MillraceSystem
import MillraceTestSupport
import Testing

import MillraceGroups

@Suite("Core lists")
struct CoreListTests {
    private let eight = CoreTopology(existing: Array(0..<8), allowed: [0, 1, 2, 3, 6, 7])

    @Test(
        "Numbers and ranges, in the order given",
        arguments: [
            ("0", [0]), ("0,1", [0, 1]), ("0-3", [0, 1, 2, 3]), ("7,0-2", [7, 0, 1, 2]),
            (" 2 - 3 , 6 ", [2, 3, 6]), ("1-1", [1]),
        ])
    func parses(text: String, cores: [Int]) throws {
        #expect(try CoreList(parsing: text, on: eight).cores == cores)
    }

    @Test(
        "Other text is refused, with the place",
        arguments: [
            ("", 0), (" ", 1), (",", 0), ("0,", 2), ("a", 0), ("0-", 2), ("3-1", 0), ("0;1", 1),
            ("0,1,0", 4), ("0-3,2", 4), ("-1", 0), ("0--3", 2), ("1 2", 2), ("8192", 0),
            ("99999999999999999999", 0), ("0-99999", 2), ("٣", 0),
        ])
    func refuses(text: String, byte: Int) {
        let error = #expect(throws: GroupError.self) { try CoreList(parsing: text, on: eight) }
        #expect(error?.code == .invalidCoreList)
        #expect(error?.byte == byte)
        #expect(error?.description.contains("'\(text)'") == true)
    }

    @Test("A core that does not exist, or is not allowed, is refused by name")
    func refusesCores() {
        let missing = #expect(throws: GroupError.self) {
            try CoreList(parsing: "0,9", on: eight)
        }
        #expect(missing?.code == .noSuchCore)
        #expect(missing?.description == "there is no core 9: this machine has 0-7")
        let forbidden = #expect(throws: GroupError.self) {
            try CoreList(parsing: "4", on: eight)
        }
        #expect(forbidden?.code == .coreNotAllowed)
        #expect(
            forbidden?.description.hasPrefix(
                "core 4 is not allowed to this process, which may use 0-3,6,7") == true)
    }

    @Test("Numbers are checked as text is")
    func numbers() throws {
        #expect(try CoreList([6, 1], on: eight).description == "6,1")
        let refused: [([Int], GroupError.Code)] = [
            ([], .invalidCoreList), ([1, 2, 1], .invalidCoreList), ([-1], .noSuchCore),
            ([8], .noSuchCore), ([0, 5], .coreNotAllowed),
        ]
        for (cores, code) in refused {
            let error = #expect(throws: GroupError.self) { try CoreList(cores, on: eight) }
            #expect(error?.code == code)
        }
    }

    @Test("By default one slot for each physical core")
    func physicalCores() {
        let siblings = [0: [0, 4], 1: [1, 5], 4: [0, 4], 5: [1, 5], 6: [2, 6]]
        let topology = CoreTopology(
            existing: Array(0..<8), allowed: [4, 0, 5, 1, 6], siblings: siblings)
        #expect(CoreList(automaticOn: topology).cores == [0, 1, 6])
    }

    @Test(
        "By default no more slots than the share of time fills",
        arguments: [(0.2, 1), (1.0, 1), (1.9, 1), (2.0, 2), (3.5, 3), (100, 4)])
    func share(processorShare: Double, slots: Int) {
        let topology = CoreTopology(
            existing: Array(0..<4), allowed: Array(0..<4), processorShare: processorShare)
        #expect(CoreList(automaticOn: topology).cores == Array(0..<slots))
    }

    @Test("A list's text reads back", arguments: Seeds.all)
    func roundTrip(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<50 {
            let all = Array(0..<40).shuffled(using: &random)
            let cores = Array(all.prefix(random.number(in: 1...40)))
            #expect(try CoreList.parse(CoreList.text(cores)) == cores)
            #expect(try CoreList.parse(CoreList.text(cores.sorted())) == cores.sorted())
        }
    }

    @Test("This machine has slots for cores that exist and are allowed")
    func thisMachine() throws {
        let topology = CoreTopology.current()
        let cores = CoreList(automaticOn: topology)
        #expect(!cores.cores.isEmpty)
        #expect(Set(cores.cores).isSubset(of: topology.allowed))
        #expect(try CoreList(parsing: cores.description, on: topology) == cores)
    }
}

@Suite("Core topology")
struct CoreTopologyTests {
    /// A directory that looks like the root of a machine.
    private func machine(_ files: [String: String]) throws -> TemporaryDirectory {
        let root = try TemporaryDirectory("millrace-topology")
        for (path, text) in files {
            let file = root.file(path)
            try Files.createDirectory(Files.parent(of: file))
            try Files.writeDurably(file, Array(text.utf8))
        }
        return root
    }

    @Test("Reads cores and siblings")
    func cores() throws {
        let root = try machine([
            "sys/devices/system/cpu/present": "0-3\n",
            "sys/devices/system/cpu/cpu1/topology/thread_siblings_list": "1,3\n",
        ])
        let topology = CoreTopology(allowed: [0, 1], systemRoot: root.path)
        #expect(topology.existing == [0, 1, 2, 3])
        #expect(topology.siblings == [1: [1, 3]])
        #expect(topology.processorShare == nil)
    }

    @Test("A machine that tells nothing has the cores that are allowed")
    func hidden() throws {
        let root = try machine([:])
        #expect(
            CoreTopology(allowed: [2, 5], systemRoot: root.path)
                == CoreTopology(existing: [2, 5], allowed: [2, 5]))
    }

    @Test("The tightest limit on the way to the root counts (unified hierarchy)")
    func unified() throws {
        let root = try machine([
            "proc/self/cgroup": "0::/work.slice/job.scope\n",
            "sys/fs/cgroup/work.slice/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/work.slice/job.scope/cpu.max": "max 100000\n",
        ])
        #expect(CoreTopology(allowed: [0], systemRoot: root.path).processorShare == 1.5)
    }

    @Test("In a container the root of what is mounted counts")
    func container() throws {
        let root = try machine([
            "proc/self/cgroup": "0::/../../elsewhere\n",
            "sys/fs/cgroup/cpu.max": "400000 100000\n",
        ])
        #expect(CoreTopology(allowed: [0], systemRoot: root.path).processorShare == 4)
    }

    @Test("The old hierarchy's quota counts, and -1 is none")
    func legacy() throws {
        var files = [
            "proc/self/cgroup": "4:memory:/m\n3:cpu,cpuacct:/box\n0::/\n",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
        ]
        var root = try machine(files)
        #expect(CoreTopology(allowed: [0], systemRoot: root.path).processorShare == nil)
        files["sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us"] = "50000\n"
        root = try machine(files)
        #expect(CoreTopology(allowed: [0], systemRoot: root.path).processorShare == 0.5)
    }

    @Test(
        "What makes no sense is no limit",
        arguments: [
            "", "max", "0 100000", "-5 100000", "100000 0", "nan 1", "inf 1", "a b", "1 2 3",
        ])
    func nonsense(text: String) throws {
        let root = try machine([
            "proc/self/cgroup": "0::/\nrubbish\n:\n", "sys/fs/cgroup/cpu.max": text,
        ])
        #expect(CoreTopology(allowed: [0], systemRoot: root.path).processorShare == nil)
    }
}
