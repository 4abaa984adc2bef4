// What the TensorFlow engine is built from: exact versions, and the sha256 of every wheel.

/** The npm package a kind of binding is, and the wheels with its TensorFlow: Linux x64, Python's 3.12 (any Python fetches them). */
export const KINDS = {
  cpu: {
    package: "@tensorflow/tfjs-node",
    tensorflow: "2.16.2",
    download: "215 MB",
    disk: "800 MB",
    wheels: { "tensorflow-cpu==2.16.2": "8ec09acc09534017e02318456f77e96947b2ab4d24d2eb580541405c45ea3b70" },
  },
  gpu: {
    package: "@tensorflow/tfjs-node-gpu",
    tensorflow: "2.16.2",
    download: "2.4 GB",
    disk: "4.7 GB",
    // TensorFlow's own extra "and-cuda" (CUDA 12.3, cuDNN 8.9), without the compiler nvcc.
    wheels: {
      "tensorflow==2.16.2": "5badc6744672a3181c012b6ab2815975be34d0573db3b561383634acc0d46a55",
      "nvidia-cublas-cu12==12.3.4.1": "9b25b27bd5a5be1cc7e83a7b8004258daa338800798e22986e5b67ee06f0859d",
      "nvidia-cuda-cupti-cu12==12.3.101": "7b984288af7db1faa1e6f1803db075d4350116b72a98d4be0e88d604dc812c0e",
      "nvidia-cuda-nvrtc-cu12==12.3.107": "4db66788a37a234304a0b3203744f9a6c665f48bde65f69a096ae3b5799b5b1d",
      "nvidia-cuda-runtime-cu12==12.3.101": "04604679ddca6acb96c76a7a9306282cddc16981f92e148e2dfe227078883cda",
      "nvidia-cudnn-cu12==8.9.7.29": "adf4f59ed7a1341103822ed8df6e144f4d47ea8b10d9bf0ea0047ba738fd7b02",
      "nvidia-cufft-cu12==11.0.12.1": "3b2c85d24d7dcc578720fdf39e2823950b5857e85164c3c1dc97184a8a8e0398",
      "nvidia-curand-cu12==10.3.4.107": "d798db82ae445cf1d8bf6af9ca3bd6bb6cc87753c229a441cf8d2597b09332e5",
      "nvidia-cusolver-cu12==11.5.4.101": "783a3279553feaf8e47af12cab1fa769ffd5e644ea876db3dc2252f35f9bf256",
      "nvidia-cusparse-cu12==12.2.0.103": "fe9e17daf406c98c28fbc8bcf785ecd4db301bf02ce626de6aa1046de66f84bd",
      "nvidia-nccl-cu12==2.19.3": "a9734707a2c96443331c1e48c717024aa6678a0e2a4cb66b2c364d18cee6b48d",
      "nvidia-nvjitlink-cu12==12.3.101": "64335a8088e2b9d196ae8665430bc6a2b7e6ef2eb877a9c735c804bd4ff6467c",
    },
  },
};

/** Of the packages in cpu/ and gpu/. */
export const PACKAGE_VERSION = "4.22.0";

/** How pip is told to fetch them: explicit tags, so that any Python will do. */
export const WHEEL_TAGS = [
  ...["manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux1_x86_64"].flatMap((tag) => ["--platform", tag]),
  ...["--python-version", "3.12", "--implementation", "cp"],
  ...["cp312", "abi3", "none"].flatMap((abi) => ["--abi", abi]),
];
