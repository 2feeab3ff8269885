internal import MillraceLog
public import MillraceSystem

/// Why something about a consumer group could not be done.
public struct GroupError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure; more may be added.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The kind's name.
        public let description: String

        /// The name of a group is not `[a-zA-Z0-9._-]{1,249}`, or is `.` or `..`.
        public static let invalidName = Code(description: "invalidName")
        /// There is no group of that name.
        public static let noSuchGroup = Code(description: "noSuchGroup")
        /// Another owner, in this process or another, runs the group.
        public static let inUse = Code(description: "inUse")
        /// The members that are in the group read other topics, or share them out another way.
        public static let otherSubscription = Code(description: "otherSubscription")
        /// A process that lives is in the group under the same instance id.
        public static let instanceInUse = Code(description: "instanceInUse")
        /// The group has as many members as it can have.
        public static let tooManyMembers = Code(description: "tooManyMembers")
        /// The group knows as many partitions as it can know.
        public static let tooManyPartitions = Code(description: "tooManyPartitions")
        /// A topic or partition that the group has nothing to do with, or that does not exist.
        public static let noSuchTopic = Code(description: "noSuchTopic")
        /// The log refused; see the description.
        public static let log = Code(description: "log")
        /// A commit came from a generation that is not the group's current one.
        public static let fenced = Code(description: "fenced")
        /// A file of the group holds what this program never wrote.
        public static let corrupt = Code(description: "corrupt")
        /// A file of the group was written by a newer version of this program.
        public static let unsupportedVersion = Code(description: "unsupportedVersion")
        /// The highest generation that can be written was used up.
        public static let outOfGenerations = Code(description: "outOfGenerations")
        /// Text that is no list of cores.
        public static let invalidCoreList = Code(description: "invalidCoreList")
        /// A core that this machine does not have.
        public static let noSuchCore = Code(description: "noSuchCore")
        /// A core that this process may not run on.
        public static let coreNotAllowed = Code(description: "coreNotAllowed")
        /// A core that another group uses, and that was not to be shared.
        public static let coreInUse = Code(description: "coreInUse")
        /// The data directory lies on a file system without the locks or mappings that are needed.
        public static let unsupportedFileSystem = Code(description: "unsupportedFileSystem")
        /// The kernel refused; see `cause`.
        public static let system = Code(description: "system")
    }

    /// The kind of failure.
    public let code: Code
    /// What happened and what to do about it, in one or two lines.
    public let description: String
    /// The group concerned, where one is.
    public let group: String?
    /// The file concerned, where one is.
    public let path: String?
    /// The position in the file of what was found wrong, in bytes.
    public let byte: Int?
    /// The process that holds the group, when it is in use and the process is known.
    public let holder: Int?
    /// The system call that failed, where one did.
    public let cause: SystemError?

    private init(
        _ code: Code, _ description: String, group: String? = nil, path: String? = nil,
        byte: Int? = nil, holder: Int? = nil, cause: SystemError? = nil
    ) {
        self.code = code
        self.description = description
        self.group = group
        self.path = path
        self.byte = byte
        self.holder = holder
        self.cause = cause
    }
}

extension GroupError {
    static func invalidName(_ name: String) -> GroupError {
        let shown = name.count > 40 ? "\(name.prefix(40))… (\(name.utf8.count) bytes)" : name
        return GroupError(
            .invalidName,
            "group name '\(shown)' is not allowed: use 1 to 249 letters, digits, '.', '_' or '-'",
            group: name)
    }

    static func noSuchGroup(_ name: String, path: String) -> GroupError {
        GroupError(
            .noSuchGroup, "group '\(name)' does not exist: there is no \(path)", group: name,
            path: path)
    }

    static func inUse(_ name: String, path: String, holder: Int?) -> GroupError {
        let who = holder.map { "process \($0)" } ?? "another process"
        return GroupError(
            .inUse,
            "group '\(name)' is in use by \(who): stop it first, or choose another group",
            group: name, path: path, holder: holder)
    }

    static func fenced(_ name: String, generation: UInt32, current: UInt32) -> GroupError {
        GroupError(
            .fenced,
            "group '\(name)': a commit of generation \(generation) was refused, the group is at "
                + "generation \(current): the member that made it must join again",
            group: name)
    }

    static func refused(
        _ refusal: GroupState.Refusal, group name: String, lock path: String
    ) -> GroupError {
        switch refusal {
        case .inUse(let member): inUse(name, path: path, holder: Int(member.process.pid))
        case .otherSubscription:
            GroupError(
                .otherSubscription,
                "group '\(name)' has members that read other topics, write to others, or use "
                    + "another assignor: all members of a group do the same", group: name)
        case .instanceInUse(let member):
            GroupError(
                .instanceInUse,
                "group '\(name)': instance '\(member.id)' is process \(member.process.pid): give "
                    + "each process an instance id of its own", group: name,
                holder: Int(member.process.pid))
        case .tooManyMembers: tooManyMembers(name)
        case .tooManyPartitions:
            GroupError(
                .tooManyPartitions,
                "group '\(name)' can know \(GroupState.maxPartitions) partitions at most: read "
                    + "fewer topics in one group", group: name)
        }
    }

    static func tooManyMembers(_ name: String) -> GroupError {
        GroupError(
            .tooManyMembers,
            "group '\(name)' can have \(GroupState.maxMembers) members at most", group: name)
    }

    static func invalidInstance(_ name: String) -> GroupError {
        GroupError(
            .invalidName,
            "instance id '\(name.prefix(40))' is not allowed: use 1 to 249 letters, digits, '.', "
                + "'_' or '-'")
    }

    static func noSuchTopic(_ name: String, _ topic: String) -> GroupError {
        GroupError(
            .noSuchTopic,
            "group '\(name)' has never read topic '\(topic)', or there is no such topic",
            group: name)
    }

    static func noTopics(_ name: String) -> GroupError {
        GroupError(
            .noSuchTopic, "group '\(name)' is given no topic to read: name at least one",
            group: name)
    }

    static func log(_ name: String, _ error: LogError) -> GroupError {
        GroupError(
            .log, "group '\(name)': \(error.description)", group: name, path: error.path,
            cause: error.cause)
    }

    static func corrupt(
        _ name: String, path: String, byte: Int, expected: String, found: String
    ) -> GroupError {
        GroupError(
            .corrupt,
            "group '\(name)': \(path), byte \(byte): expected \(expected), found \(found); restore "
                + "the file, or delete the group and set its offsets anew",
            group: name, path: path, byte: byte)
    }

    static func unsupportedVersion(
        _ name: String, path: String, byte: Int, expected: Int, found: Int
    ) -> GroupError {
        GroupError(
            .unsupportedVersion,
            "group '\(name)': \(path), byte \(byte): format version \(found), but this program "
                + "knows versions up to \(expected): use the program that wrote it, or a newer one",
            group: name, path: path, byte: byte)
    }

    static func outOfGenerations(_ name: String) -> GroupError {
        GroupError(
            .outOfGenerations,
            "group '\(name)' has used up its generations: choose another name", group: name)
    }

    static func invalidCoreList(_ text: String, at byte: Int, _ problem: String) -> GroupError {
        GroupError(
            .invalidCoreList,
            "core list '\(text)', character \(byte + 1): \(problem); write for example 0,1 or 0-3",
            byte: byte)
    }

    static func noSuchCore(_ core: Int, existing: [Int]) -> GroupError {
        GroupError(
            .noSuchCore,
            "there is no core \(core): this machine has \(CoreList.text(existing))")
    }

    static func coreNotAllowed(_ core: Int, allowed: [Int]) -> GroupError {
        GroupError(
            .coreNotAllowed,
            "core \(core) is not allowed to this process, which may use "
                + "\(CoreList.text(allowed)): choose from these, or widen the affinity mask")
    }

    static func coreInUse(_ use: CoreUse, group name: String) -> GroupError {
        GroupError(
            .coreInUse,
            "core \(use.core) is in use by group '\(use.group)', process \(use.process): name "
                + "another core for group '\(name)', or allow it to share",
            group: name, holder: use.process)
    }

    static func system(_ cause: SystemError, group: String? = nil) -> GroupError {
        GroupError(
            cause.lackOfFileSystem == nil ? .system : .unsupportedFileSystem,
            group.map { "group '\($0)': \(cause)" } ?? cause.description, group: group,
            path: cause.path, cause: cause)
    }
}
