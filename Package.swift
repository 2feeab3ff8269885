// swift-tools-version: 6.2

import PackageDescription

/// Settings that every Swift target shares: memory safety is checked strictly, a use of an unsafe
/// construct without `unsafe` in front of it does not build, and imports say what they expose.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatWarning("StrictMemorySafety", as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "millrace",
    products: [
        .library(name: "Millrace", targets: ["Millrace"]),
        // Apart from the library: few need a server, and a framework for services.
        .library(name: "MillraceMetrics", targets: ["MillraceMetrics"]),
        .library(name: "MillraceService", targets: ["MillraceService"]),
        .executable(name: "millrace", targets: ["MillraceTool"]),
    ],
    traits: [
        // Off by default: who does not use Kafka needs no librdkafka.
        .trait(name: "Kafka", description: "Apache Kafka, by way of librdkafka 2.0 or later")
    ],
    dependencies: [
        // The command line: sub-commands, help, completions. Writing our own would be worse.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // YAML with line and column marks, which the pipeline file's error messages need.
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        // Levels and structured fields that a host application can redirect.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        // The wire format of ONNX files, which are untrusted bytes: its parser is fuzzed and bounds
        // its depth. What is read of them is in Sources/MillraceONNXFormat, generated.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        // How Swift services are started and shut down together; only MillraceService has it.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // The metrics backend of who embeds a pipeline as a service; only MillraceService has it.
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    ],
    targets: [
        // Leaves: C, because Swift 6.3 has no per-function target features and cannot see GNU-only
        // calls; and module maps for system libraries.
        .target(name: "CMillraceLinux"),
        .target(name: "CMillraceKernels"),
        .systemLibrary(
            name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(
            name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),

        // The log and who reads it.
        .target(
            name: "MillraceSystem", dependencies: ["CMillraceLinux", "CMillraceKernels"],
            swiftSettings: strict),
        .target(
            name: "MillraceLog", dependencies: ["MillraceSystem", "CMillraceKernels", "CLZ4"],
            swiftSettings: strict),
        .target(name: "MillraceGroups", dependencies: ["MillraceLog"], swiftSettings: strict),

        // Text to numbers.
        .target(
            name: "MillraceInput", dependencies: ["MillraceSystem", "CLZ4", "CMillraceKernels"],
            swiftSettings: strict),
        .target(
            name: "MillraceFeatures",
            dependencies: ["CMillraceKernels", "MillraceInput", "MillraceSystem"],
            swiftSettings: strict),

        // Numbers to predictions.
        .target(
            name: "MillraceCompute", dependencies: ["CMillraceKernels", "COpenBLAS"],
            swiftSettings: strict),
        .target(
            name: "MillraceModels", dependencies: ["MillraceCompute", "MillraceSystem"],
            swiftSettings: strict),
        .target(
            name: "MillraceRepository",
            dependencies: [
                "MillraceInput", "MillraceModels", "MillraceCompute", "MillraceSystem",
            ],
            swiftSettings: strict),

        .target(
            name: "MillraceServing",
            dependencies: [
                "MillraceCompute", "MillraceModels", "MillraceRepository", "MillraceSystem",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),

        // Models from and for other programs.
        // Generated: no strict memory safety, which the generator does not write for.
        .target(
            name: "MillraceONNXFormat",
            dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            exclude: ["onnx.proto", "generate.sh"]),
        .target(
            name: "MillraceONNX",
            dependencies: [
                "MillraceCompute", "MillraceModels", "MillraceONNXFormat",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict),

        // The log's neighbour for who needs more than one host; without the trait `Kafka`, what
        // does without librdkafka: addresses, properties and record formats.
        .target(
            name: "MillraceKafka",
            dependencies: [
                "MillraceLog", "MillraceInput", "MillraceSystem",
                .target(name: "CRdKafka", condition: .when(traits: ["Kafka"])),
            ],
            swiftSettings: strict),

        // Everything together.
        .target(name: "MillraceReport", swiftSettings: strict),
        .target(
            name: "MillracePipeline",
            dependencies: [
                "MillraceSystem", "MillraceLog", "MillraceGroups", "MillraceInput",
                "MillraceFeatures", "MillraceCompute", "MillraceModels", "MillraceRepository",
                "MillraceServing", "MillraceReport", "MillraceKafka",
                .product(name: "Yams", package: "Yams"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "MillraceService",
            dependencies: [
                "MillracePipeline", "MillraceSystem",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .target(
            name: "MillraceMetrics",
            dependencies: [
                "MillraceCompute", "MillraceGroups", "MillracePipeline", "MillraceSystem",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "Millrace",
            dependencies: [
                "MillraceCompute", "MillraceLog", "MillraceGroups", "MillraceFeatures",
                "MillraceModels", "MillraceONNX", "MillraceRepository", "MillraceServing",
                "MillracePipeline",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "MillraceTool",
            dependencies: [
                "Millrace", "MillraceMetrics", "MillracePipeline", "MillraceReport",
                "MillraceCompute", "MillraceInput", "MillraceKafka", "MillraceModels",
                "MillraceRepository",
                "MillraceSystem",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),

        // Tests, one target for each room.
        .target(name: "MillraceTestCounters", path: "Tests/MillraceTestCounters"),
        .target(
            name: "MillraceTestSupport",
            dependencies: ["MillraceSystem", "MillraceTestCounters", "CLZ4"],
            path: "Tests/MillraceTestSupport", swiftSettings: strict),
        // Programs that tests start: one to be killed, one to be fed with damaged files.
        .executableTarget(
            name: "MillraceLogWorker",
            dependencies: ["MillraceLog", "MillraceSystem", "MillraceTestSupport"],
            path: "Tests/MillraceLogWorker", swiftSettings: strict),
        .executableTarget(
            name: "MillraceGroupsWorker",
            dependencies: [
                "MillraceGroups", "MillraceLog", "MillraceSystem", "MillraceTestSupport",
            ],
            path: "Tests/MillraceGroupsWorker", swiftSettings: strict),
        .executableTarget(
            name: "MillraceModelsWorker",
            dependencies: [
                "MillraceModels", "MillraceRepository", "MillraceSystem", "MillraceTestSupport",
            ],
            path: "Tests/MillraceModelsWorker", swiftSettings: strict),
        .target(name: "MillraceFuzzMain", path: "Tests/MillraceFuzzMain"),
        .executableTarget(
            name: "MillraceFuzz",
            dependencies: ["MillraceFuzzMain", "MillraceLog", "MillraceSystem"],
            path: "Tests/MillraceFuzz", swiftSettings: strict),
        .testTarget(
            name: "MillraceLogTests",
            dependencies: [
                "MillraceLog", "MillraceLogWorker", "MillraceFuzz", "MillraceSystem",
                "MillraceTestSupport",
            ],
            // What the format was when it was fixed: read by path, by the tests that compare.
            exclude: [
                "bfloat16", "bytes", "compressed", "float16", "float32", "int8", "uint8",
            ].map { "Golden/\($0).hex" },
            swiftSettings: strict),
        .testTarget(
            name: "MillraceGroupsTests",
            dependencies: [
                "MillraceGroups", "MillraceGroupsWorker", "MillraceLog", "MillraceSystem",
                "MillraceTestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MillraceFeaturesTests",
            dependencies: [
                "MillraceFeatures", "MillraceInput", "MillraceSystem", "MillraceTestSupport",
            ],
            exclude: ["Guards"],
            swiftSettings: strict),
        .testTarget(
            name: "MillraceModelsTests",
            dependencies: [
                "MillraceCompute", "MillraceInput", "MillraceModels", "MillraceModelsWorker",
                "MillraceRepository", "MillraceSystem", "MillraceTestSupport",
            ],
            // What others compute, read by path, and how it was made.
            exclude: ["Emulation", "Guards", "Onnx", "Phishing", "Safetensors", "Trajectories"],
            swiftSettings: strict),
        .testTarget(
            name: "MillraceServingTests",
            dependencies: [
                "MillraceCompute", "MillraceModels", "MillraceRepository", "MillraceServing",
                "MillraceSystem", "MillraceTestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MillraceONNXTests",
            dependencies: [
                "MillraceCompute", "MillraceModels", "MillraceONNX", "MillraceSystem",
                "MillraceTestSupport",
            ],
            // Models that others exported, read by path, and how they were made.
            exclude: ["Fixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "MillraceKafkaTests",
            dependencies: [
                "Millrace", "MillraceInput", "MillraceKafka", "MillraceLog", "MillraceSystem",
                "MillraceTestSupport", "MillraceTool",
                .product(name: "Logging", package: "swift-log"),
                .target(name: "CRdKafka", condition: .when(traits: ["Kafka"])),
            ],
            exclude: ["Walkthrough"],
            swiftSettings: strict),
        .testTarget(
            name: "MillracePipelineTests",
            dependencies: [
                "Millrace", "MillracePipeline", "MillraceReport", "MillraceLog", "MillraceGroups",
                "MillraceCompute", "MillraceFeatures", "MillraceKafka", "MillraceModels",
                "MillraceRepository", "MillraceSystem", "MillraceTestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MillraceServiceTests",
            dependencies: [
                "Millrace", "MillraceService", "MillraceSystem", "MillraceTestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MillraceMetricsTests",
            dependencies: [
                "MillraceCompute", "MillraceMetrics", "MillracePipeline", "MillraceSystem",
                "MillraceTestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MillraceToolTests",
            dependencies: [
                "MillraceTool", "Millrace", "MillraceInput", "MillracePipeline", "MillraceSystem",
                "MillraceTestSupport",
            ],
            exclude: ["browser.py", "walkthrough.py"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

// One room's tests alone, for who builds them in another way than all others: the rest is not built.
if let room = Context.environment["MILLRACE_TESTS_OF"] {
    package.targets.removeAll {
        $0.type == .test && $0.name != room
            || $0.type == .executable && $0.path?.hasPrefix("Tests/") == true
    }
}
