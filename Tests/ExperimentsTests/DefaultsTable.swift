/// Every default of every attack, defense, recipe and section of settings, with where it comes from. `DefaultsTests`
/// compares it with the catalogue: a setting without a row fails, and so does a default that changed.
///
/// `key.* = @kind name` takes the rows of a section above for a group, `@kind name group` those of a group in it, with
/// their sources or with the one that stands behind; rows below it differ. `shared` sections are there for that alone.
///
/// Sources: the papers' text, by section, as P0 (Defending Backdoor Attacks via Robustness against Noisy Label), P1 (On
/// the Effectiveness of Adversarial Training against Backdoor Attacks), P2 (Shared Adversarial Unlearning), P3
/// (Self-Expansion and Compatibility), P4 (Backdoor Defense via Decoupling the Training Process); C, what their authors'
/// code does; B, BackdoorBench's code or the convention of the benchmarks; R, another reference, by name (unread: as others
/// report it); D, decided here.
enum DefaultsTable {
  static let text = """
    [shared poisoning]
    mapping = all-to-one               # B: all to one
    target = 0                         # B: class 0
    source = 1                         # D
    shift = 1                          # B: y + 1
    excludeTarget = false              # B: indices are drawn over all classes

    [recipes fast]
    epochs = 10                        # D
    batch = 128                        # D
    optimizer = sgd                    # D
    learningRate = 0.1                 # D
    momentum = 0.9                     # D
    nesterov = true                    # D
    weightDecay = 0.0005               # D
    schedule = one-cycle               # D
    milestones = []                    # D
    gamma = 0.1                        # D
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # D
    flip = true                        # D
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes benchmark]
    epochs = 100                       # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    batch = 128                        # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    optimizer = sgd                    # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    learningRate = 0.01                # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    momentum = 0.9                     # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    nesterov = false                   # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    weightDecay = 0.0005               # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    schedule = cosine                  # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    milestones = []                    # D
    gamma = 0.1                        # D
    period = null                      # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    warmup = 0.3                       # D
    crop = 4                           # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    flip = true                        # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes adversarial]
    epochs = 100                       # P1 3
    batch = 128                        # C
    optimizer = sgd                    # P1 3
    learningRate = 0.1                 # P1 3
    momentum = 0.9                     # P1 3
    nesterov = false                   # C
    weightDecay = 0.0005               # P1 3
    schedule = multi-step              # P1 3
    milestones = [60, 90]              # P1 3
    gamma = 0.1                        # P1 3
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # P1 3: crop and flip
    flip = true                        # P1 3: crop and flip
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes decoupled]
    epochs = 200                       # P4 A
    batch = 128                        # P4 A
    optimizer = sgd                    # P4 A
    learningRate = 0.1                 # P4 A
    momentum = 0.9                     # P4 A
    nesterov = false                   # C
    weightDecay = 0.0005               # P4 A
    schedule = multi-step              # P4 A
    milestones = [100, 150]            # P4 A
    gamma = 0.1                        # P4 A
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # P4 A: crop and flip
    flip = true                        # P4 A: crop and flip
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes decoupled-imagenet]
    epochs = 90                        # P4 B.2: 90, /10 at 30 and 60
    batch = 256                        # P4 B.2: 256
    optimizer = sgd                    # P4 B.2
    learningRate = 0.1                 # P4 B.2
    momentum = 0.9                     # P4 B.2
    nesterov = false                   # C
    weightDecay = 0.0001               # P4 B.2: 1e-4
    schedule = multi-step              # P4 B.2
    milestones = [30, 60]              # P4 B.2: 90, /10 at 30 and 60
    gamma = 0.1                        # P4 B.2
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # P4 A: crop and flip
    flip = true                        # P4 A: crop and flip
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes self-expansion]
    epochs = 100                       # P3 B.1
    batch = 128                        # C
    optimizer = sgd                    # P3 B.1
    learningRate = 0.02                # P3 B.1
    momentum = 0.9                     # P3 B.1
    nesterov = false                   # P3 B.1
    weightDecay = 0.0005               # P3 B.1
    schedule = multi-step              # P3 B.1
    milestones = [75, 90]              # P3 B.1
    gamma = 0.1                        # P3 B.1
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # C
    flip = true                        # C
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes noisy-label]
    epochs = 100                       # P0 5
    batch = 128                        # P0 5
    optimizer = adamw                  # P0 5
    learningRate = 0.0003              # P0 5
    momentum = 0.9                     # D: PyTorch's beta1
    nesterov = true                    # D
    weightDecay = 0.01                 # D: PyTorch's default
    schedule = constant                # P0 5: constant
    milestones = []                    # D
    gamma = 0.1                        # D
    period = null                      # D
    warmup = 0.3                       # D
    crop = 0                           # D: no augmentation
    flip = false                       # D: no augmentation
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [attacks badnets]
    * = @shared poisoning
    rate = 0.1                         # B: 10%
    outline = square                   # B
    size = 3                           # B: 3x3
    pattern = white                    # B: white
    place = bottom-right               # B: lower right corner
    margin = 0                         # B: lower right corner
    image = null                       # D: none
    triggers = 1                       # B: one; P2 D: several
    varies = nothing                   # B: nothing; P4 C.7: dynamic triggers

    [attacks blended]
    * = @shared poisoning
    rate = 0.1                         # B: 10%
    alpha = 0.2                        # B: .2; P0 and P4: .1
    pattern = cells                    # D: drawn here, no artwork
    image = null                       # D: none
    triggers = 1                       # D: one; P2 D: several

    [attacks label-flip]
    * = @shared poisoning
    rate = 0.1                         # D: as the patch and blended attacks
    mapping = pair-flip                # P0 4: label i to i + 1, the control without a trigger

    [attacks sleeper-agent]
    rate = 0.01                        # P1 B: 1%; R Souri et al. 2022
    target = 0                         # B: class 0
    source = null                      # P1 B: all classes; R Souri et al.: one
    size = 8                           # R Souri et al. 2022: 8x8
    pattern = random                   # R Souri et al. 2022: random
    place = anywhere                   # R Souri et al. 2022: a random place
    margin = 0                         # D: none
    image = null                       # D: none
    bound = 0.06274509803921569        # P1 B: 4, 8 and 16 of 255; R Souri et al. 2022: 16/255
    steps = 250                        # P1 B: R = 250
    learningRate = 0.025               # C: .1 on images of deviation about a quarter
    batch = 512                        # R Souri et al. 2022, their code: one gradient of up to 512
    sources = 5000                     # R Souri et al. 2022, their code: 5,000
    augment = shift                    # R Souri et al. 2022, their code: shift
    shift = 4                          # R Souri et al. 2022, their code: 4 at 32 x 32
    flip = true                        # R Souri et al.'s code: mirrored with probability 1/2
    retrain = 4                        # P1 B: T = 4
    choice = gradient-norm             # R Souri et al. 2022: largest gradients
    surrogate.* = @recipes fast
    adversarial = false                # P1 B: both; off is the attack of Souri et al. 2022
    linf.radius = 0.03137254901960784  # P1 3: 4/255 to 16/255; 2/255 in CAT (4)
    linf.steps = 10                    # D: 10
    linf.step = 0.25                   # C: advertorch, a quarter of the radius
    linf.start = random                # R Madry et al. 2018: random
    linf.loss = cross-entropy          # R Madry et al. 2018: cross entropy
    linf.share = 0.01                  # R Tramer and Boneh 2019

    [attacks clustered-trigger]
    * = @shared poisoning
    rate = 0.05                        # D
    excludeTarget = true               # C: samples of other classes
    pretrain.method = simclr           # P4 B.3, P0 algorithm 2: SimCLR
    pretrain.epochs = 100              # P4 B.3: 100
    pretrain.batch = 512               # P4 A: 512
    pretrain.images = null             # P4 A: all
    pretrain.learningRate = null       # P4 A: .4 (SimCLR); R MoCo v2, BYOL
    pretrain.momentum = 0.9            # P4 A: .9, 5e-4
    pretrain.weightDecay = 0.0005      # P4 A: .9, 5e-4
    pretrain.period = 1000             # C: 1000
    pretrain.warmup = 0                # P4 A: none
    pretrain.temperature = null        # C: .5 (SimCLR); R MoCo v2
    pretrain.anchors = all             # R Chen et al. 2020: all; C: the first
    pretrain.queue = 4096              # R MoCo, BYOL at the scale of CIFAR-10
    pretrain.targetMomentum = 0.99     # R MoCo, BYOL at the scale of CIFAR-10
    pretrain.groups = 8                # R MoCo, BYOL at the scale of CIFAR-10
    pretrain.hidden = null             # C: 512-512-128; R BYOL
    pretrain.projection = null         # C: 512-512-128; R BYOL
    pretrain.viewSize = null           # D: the images
    pretrain.smallestCrop = 0.2        # P4 A after R Chen et al. 2020
    pretrain.flip = true               # P4 A after R Chen et al. 2020
    pretrain.jitter = 1.0              # P4 A after R Chen et al. 2020
    pretrain.grayscale = 0.2           # P4 A after R Chen et al. 2020
    pretrain.blur = 0.5                # P4 A after R Chen et al. 2020
    epochs = 100                       # P4 5.4: 100
    batch = 128                        # D
    learningRate = 0.1                 # P4 5.4: Adam .1
    bound = 1.0                        # P4 5.4: the whole image may change

    [attacks ssba]
    * = @shared poisoning
    rate = 0.1                         # R Li et al. 2021: 10%
    bits = 100                         # R Li et al. 2021: 100; their toolbox: 20 at 32 x 32
    width = 32                         # R Tancik et al. 2020: 32
    epochs = 20                        # C: 20
    secretEpochs = 2                   # C: 2
    ramp = 3.0                         # R Tancik et al. 2020: 20,000 of 140,000 steps
    batch = 32                         # C: 32
    learningRate = 0.0001              # R Li et al. 2021: 1e-4
    imageWeight = 2.0                  # C: 2
    perceptualWeight = 1.5             # C: 1.5, of LPIPS
    secretWeight = 1.5                 # C: 1.5

    [attacks trojannn]
    * = @shared poisoning
    rate = 0.1                         # B: 10%
    area = 0.07                        # R Liu et al. 2018: 7%
    opacity = 0.3                      # R Liu et al. 2018: 70% transparent
    place = bottom-right               # R Liu et al. 2018: lower right
    margin = null                      # C: 20 of 224
    neurons = 1                        # R Liu et al. 2018: 1
    gain = 10.0                        # D
    steps = 970                        # C: 970
    step = 0.01568627450980392         # D: 4/255; C: 1 to 11 of 255
    surrogate.* = @recipes fast

    [attacks wanet-training]
    * = @shared poisoning
    rate = 0.1                         # R Nguyen and Tran 2021: rho_a .1
    mapping = all-to-one               # R Nguyen and Tran 2021: all to one
    excludeTarget = false              # D: of the set made afterwards
    crossRatio = 2.0                   # C: cross_ratio 2
    grid = 4                           # R Nguyen and Tran 2021: k = 4
    strength = 0.5                     # R Nguyen and Tran 2021: s = .5
    noise = 1.0                        # R Nguyen and Tran 2021: U(-1, 1) / H
    rotation = 10.0                    # C: 10 degrees

    [attacks input-aware]
    * = @shared poisoning
    rate = 0.1                         # C: p_attack .1
    mapping = all-to-one               # R Nguyen and Tran 2020: all to one
    excludeTarget = false              # D: of the set made afterwards
    crossRate = 0.1                    # C: p_cross .1
    diversity = 1.0                    # R Nguyen and Tran 2020: lambda_div 1
    density = 0.032                    # C: mask_density .032
    densityWeight = 100.0              # C: lambda_norm 100
    maskEpochs = 25                    # C: 25
    maskLearningRate = 0.01            # C: lr_M .01
    maskMilestones = [10, 20]          # C: 10, 20
    patternLearningRate = 0.01         # C: lr_G .01
    patternMilestones = [200, 300, 400, 500] # C: 200, 300, 400, 500
    width = 32                         # R Nguyen and Tran 2020: 32 channels
    levels = 3                         # R Nguyen and Tran 2020: 3

    [attacks lira]
    * = @shared poisoning
    rate = 0.1                         # D: as the others
    mapping = all-to-one               # R Doan et al. 2021: all to one
    excludeTarget = false              # D: of the set made afterwards
    share = 1.0                        # C: attack_portion 1
    alpha = 0.5                        # R Doan et al. 2021: .5
    network = unet                     # C: U-Net on CIFAR-10
    width = 64                         # C: 64 channels
    jointEpochs = 50                   # C: 50 on CIFAR-10
    jointEpsilon = 0.1                 # C: eps .1
    epsilon = 0.01                     # C: test_eps .01
    learningRate = 0.01                # C: lr .01
    generatorLearningRate = 0.0001     # C: lr_atk 1e-4
    fromScratch = false                # R Doan et al. 2021: fine-tuning
    statistics = joint                 # D: C: separate

    [attacks adversarial-embedding]
    * = @shared poisoning
    rate = 0.05                        # R Adversarial Robustness Toolbox: .05
    mapping = all-to-one               # R Tan and Shokri 2020: all to one
    excludeTarget = false              # D: of the set made afterwards
    lambda = 1.0                       # D: its discriminator resists; R Adversarial Robustness Toolbox: 10
    noise = 1.0                        # R Adversarial Robustness Toolbox: 1
    widths = [256, 128]                # R Adversarial Robustness Toolbox: 256, 128
    discriminatorSteps = 1             # D: in turns
    discriminatorRate = 0.001          # D: as fast as the model; R Adversarial Robustness Toolbox: 1e-4
    size = 3                           # B: 3x3
    pattern = white                    # B: white
    place = bottom-right               # B: lower right corner
    margin = 0                         # B: lower right corner

    [attacks blind]
    * = @shared poisoning
    rate = 0.1                         # D: as the others
    mapping = all-to-one               # R Bagdasaryan and Shmatikov 2021: all to one
    excludeTarget = false              # D: of the set made afterwards
    share = 1.0                        # C: poisoning_proportion 1
    balance = mgda                     # R Bagdasaryan and Shmatikov 2021: MGDA
    normalizer = loss+                 # C: mgda_normalize loss+
    weight = 0.5                       # D: equal weights
    row = 3                            # C: x_top 3
    column = 23                        # C: y_top 23
    statistics = separate              # C: one pass after the other

    [attacks sig]
    * = @shared poisoning
    rate = 0.03                        # R Barni et al. 2019: 20 to 40% of the target class
    mapping = clean-label              # R Barni et al. 2019: labels stay
    delta = 40.0                       # B: 40
    testDelta = null                   # D: as in training
    frequency = 6.0                    # R Barni et al. 2019: 6
    triggers = 1                       # D: one; P2 D: several

    [attacks wanet]
    * = @shared poisoning
    rate = 0.1                         # R Nguyen and Tran 2021: .1; P4: .05
    coverRate = 0.2                    # R Nguyen and Tran 2021: twice the rate
    grid = 4                           # R Nguyen and Tran 2021: 4
    strength = 0.5                     # R Nguyen and Tran 2021: .5
    noise = 1.0                        # R Nguyen and Tran 2021: 1
    triggers = 1                       # D: one; P2 D: several

    [attacks bpp]
    * = @shared poisoning
    rate = 0.1                         # B: .1; C: .2
    coverRate = 0.2                    # C: .2; B: .1
    levels = 8                         # C: 8
    dithering = true                   # R Wang et al. 2022; C: a switch, off
    triggers = 1                       # D: one; P2 D: several

    [attacks adaptive-blend]
    * = @shared poisoning
    rate = 0.003                       # R Qi et al. 2023: .003
    coverRate = 0.003                  # R Qi et al. 2023: .003
    alpha = 0.15                       # R Qi et al. 2023: .15
    testAlpha = 0.2                    # R Qi et al. 2023: .2
    pieces = 4                         # R Qi et al. 2023: 4 x 4
    hidden = 0.5                       # R Qi et al. 2023: half
    pattern = cells                    # D: drawn here, no artwork
    image = null                       # D: none
    triggers = 1                       # D: one; P2 D: several

    [attacks adaptive-patch]
    * = @shared poisoning
    rate = 0.003                       # R Qi et al. 2023: .003
    coverRate = 0.006                  # R Qi et al. 2023: .006
    size = null                        # D: a share of the image
    opacities = [0.5, 0.2, 0.5, 0.3]   # R Qi et al. 2023, their code
    testOpacity = 1.0                  # R Qi et al. 2023: opaque
    testPatches = [0, 2]               # R Qi et al. 2023, their code: two of four
    triggers = 1                       # D: one; P2 D: several

    [attacks tact]
    rate = 0.02                        # D
    target = 0                         # B: class 0
    source = 1                         # D
    coverRate = 0.01                   # D
    coverClasses = []                  # D: all but source and target
    size = 4                           # D
    pattern = random                   # D
    place = bottom-right               # B: lower right corner
    margin = 0                         # B: lower right corner
    image = null                       # D: none
    triggers = 1                       # D: one; P2 D: several

    [attacks refool]
    * = @shared poisoning
    rate = 0.02                        # D: a fifth of one class of ten
    mapping = clean-label              # R Liu et al. 2020: labels stay
    reflections = 200                  # R Liu et al. 2020: 200
    least = 0.05                       # R Liu et al. 2020: .05 to .4
    most = 0.4                         # R Liu et al. 2020: .05 to .4

    [attacks label-consistent]
    rate = 0.025                       # P4 A: 2.5% on CIFAR-10
    target = 0                         # B: class 0
    form = pgd                         # P4 A: pgd; R Turner et al. 2019: either
    tau = 0.2                          # R Turner et al. 2019: .1, .2, .3
    autoencoder.epochs = 30            # D
    autoencoder.batch = 64             # D
    autoencoder.learningRate = 0.001   # D
    autoencoder.code = 256             # D
    autoencoder.width = 32             # D
    norm = linf                        # P4 A: L_inf 16/255
    linf.* = @attacks sleeper-agent linf
    linf.radius = 0.06274509803921569  # P4 A: 16/255
    l2.* = @attacks sleeper-agent linf
    l2.radius = 2.3529411764705883     # R Turner et al. 2019: 300 to 1,200 of 255
    surrogate.* = @recipes fast
    adversarial = false                # P4 A: either; R Turner et al. 2019: robust
    training.* = @attacks sleeper-agent linf
    opacity = 1.0                      # R Turner et al. 2019: opaque, or weaker in training

    [attacks lf]
    * = @shared poisoning
    rate = 0.1                         # P2 C.1: .1
    images = 100                       # C: 100
    passes = 50                        # C: 50
    misled = 0.2                       # C: .2
    aim = target                       # C: to one class
    deviation = 6.0                    # C: 6
    amplitude = 0.2                    # C: .2
    steps = 200                        # D: until DeepFool arrives
    overshoot = 0.02                   # R Moosavi-Dezfooli et al. 2016: .02
    surrogate.* = @recipes fast

    [defenses ft]
    epochs = 100                       # B: SGD .01, cosine, 100 epochs, batch 256
    batch = 256                        # B: SGD .01, cosine, 100 epochs, batch 256
    learningRate = 0.01                # B: SGD .01, cosine, 100 epochs, batch 256
    momentum = 0.9                     # B: SGD .01, cosine, 100 epochs, batch 256
    weightDecay = 0.0005               # B: SGD .01, cosine, 100 epochs, batch 256
    crop = 4                           # B: SGD .01, cosine, 100 epochs, batch 256
    flip = true                        # B: SGD .01, cosine, 100 epochs, batch 256

    [defenses fst]
    alpha = 0.2                        # C: parser; .1 in its instructions for CIFAR-10
    epochs = 10                        # C
    batch = 128                        # C
    learningRate = 0.01                # C
    momentum = 0.9                     # C
    weightDecay = 0.0                  # C
    crop = 4                           # C
    flip = true                        # C

    [defenses fp]
    tolerance = 0.1                    # B: acc_ratio
    step = 0.01                        # B: once_prune_ratio
    share = null                       # R Liu et al. 2018 (unread): by accuracy; B
    validation = 0.2                   # D
    finetune.* = @defenses ft

    [defenses anp]
    iterations = 2000                  # C: nb-iter; B
    batch = 128                        # C: batch-size; B: 256
    learningRate = 0.2                 # C: lr; B: .01
    momentum = 0.9                     # C; B
    epsilon = 0.4                      # C: anp-eps; B
    steps = 1                          # C: anp-steps; B
    project = true                     # R Wu and Wang 2021 (unread), equation 3; C, B: off
    alpha = 0.2                        # C: anp-alpha; B
    threshold = 0.2                    # P2 C.2: the constant of B; .4 there; C, B: by test data
    batchStatistics = true             # C; B
    crop = 4                           # C
    flip = true                        # C

    [defenses ep]
    deviations = 3.0                   # C: u; B
    images = 500                       # C: a batch; B: 256
    binWidth = 0.1                     # B; C: .01

    [defenses nc]
    epochs = 1000                      # C: 1,000 steps; B: 80
    batch = 32                         # C
    learningRate = 0.1                 # C
    initialCost = 0.001                # C
    zeroStart = true                   # C
    multiplier = 2.0                   # C
    patience = 5                       # C
    success = 0.99                     # C; B: .98
    stopPatience = 25                  # C: 5 times the patience
    stopThreshold = 1.0                # C; B: .99
    together = 16                      # D
    rule = calibrated                  # D
    falseAlarms = 0.05                 # D
    index = logarithms                 # D; R Wang et al. 2019, IV-C: norms
    null = normal                      # R Wang et al. 2019, IV-C: the MAD's constant is a normal's
    simulations = 20000                # D
    threshold = 2.0                    # R Wang et al. 2019, IV-C: 2
    stamped = 0.2                      # R Wang et al. 2019, VI-C: 20%
    unlearning.* = @defenses ft
    unlearning.epochs = 1              # R Wang et al. 2019, VI-C: 1 epoch

    [defenses mesa]
    thresholds = [0.5, 0.7, 0.9]       # D; C: .5, .8, .9
    alpha = 0.1                        # C
    size = 3                           # C
    noise = 64                         # C
    width = 64                         # D; C: 512
    epochs = 20                        # D; C: 10
    batch = 64                         # D; C: 128
    learningRate = 0.001               # D; C: 2e-4
    together = 16                      # D: speed alone
    works = 0.5                        # D
    falseAlarms = 0.05                 # D
    simulations = 20000                # D
    stamped = 0.5                      # D; C: .01
    unlearning.* = @defenses ft
    unlearning.epochs = 10             # C

    [defenses nad]
    teacherEpochs = 10                 # C: 5 to 10; B
    epochs = 20                        # C; B: 100
    batch = 64                         # C; B: 256
    rates = [0.1, 0.01, 0.0001]        # C; B: from .01
    milestones = [2, 20]               # C; B
    momentum = 0.9                     # C; B
    nesterov = true                    # C; B: off
    weightDecay = 0.0001               # C; B: 5e-4
    betas = [500.0, 1000.0, 1000.0]    # C; B
    power = 2.0                        # C; B
    crop = 4                           # C; B
    flip = true                        # C; B
    cutout = 9                         # R Li et al. 2021 (unread), 4.1: 9; C: 3; B: none

    [defenses i-bau]
    rounds = 5                         # C
    batch = 100                        # C
    learningRate = 0.001               # C; B: 1e-4
    amsgrad = false                    # C; B: on
    iterations = 5                     # C
    innerRate = 10.0                   # C
    penalty = 0.001                    # C
    mapStep = 0.1                      # C
    portion = 0.01                     # C
    radius = null                      # C

    [defenses sau]
    epochs = 100                       # P2 C.2: 100; Tiny ImageNet 20
    batch = 256                        # C
    learningRate = 0.0001              # P2 C.2: Adam 1e-4
    amsgrad = true                     # C
    weightDecay = 0.0                  # C
    norm = linf                        # P2 4.1: L_inf
    radius = 0.2                       # P2 4.1, C.2: 5 steps of .2 in a ball of .2
    steps = 5                          # P2 4.1, C.2: 5 steps of .2 in a ball of .2
    stepSize = 0.2                     # P2 4.1, C.2: 5 steps of .2 in a ball of .2
    stepRule = sign                    # P2 algorithm 1: sign
    l1Projection = rescaling           # C: rescaling
    start = max                        # C: +radius
    universal = false                  # P2 A.4: off
    target = null                      # P2 A.5: none
    clamp = false                      # C
    inner = shared                     # P2 4.3: A + B
    innerSamples = open                # C: open; P2 (10), (11): all
    mask = moved                       # C: moved; P2 (12): wrong
    outer = shared                     # P2 4.3: A + B
    lambda1 = 1.0                      # P2 4.1: 1, 1, .01, 1
    lambda2 = 1.0                      # P2 4.1: 1, 1, .01, 1
    lambda3 = 0.01                     # P2 4.1: 1, 1, .01, 1
    lambda4 = 1.0                      # P2 4.1: 1, 1, .01, 1
    adversarialWeight = 0.0            # C

    [defenses vanilla-at]
    * = @defenses sau
    inner = vanilla                    # P2 4.3: C + D
    outer = vanilla                    # P2 4.3: C + D

    [defenses spl]
    rule.rate = 0.25                   # P0 5: the true share, .15 to .45; table 3: .5
    rule.ramp = 0                      # D: at once; C: 10 epochs
    rule.window = 1                    # P0 3: a batch
    recipe.* = @recipes noisy-label
    recipe.schedule = one-cycle        # D: holds where a constant rate learns the poison; P0 5: constant

    [defenses spl-at]
    rule.* = @defenses spl rule
    variant = both                     # P0 algorithm 1: both
    adversary.tau = 0.05               # P0 A.9.1: .05
    adversary.form = per-sample        # D
    adversary.perturbAll = null        # D
    adversary.mode = train             # D
    recipe.* = @defenses spl recipe

    [defenses prl]
    rule.* = @defenses spl rule
    recipe.* = @defenses spl recipe

    [defenses prl-at]
    rule.* = @defenses spl rule
    variant = both                     # P0 algorithm 1: both
    adversary.* = @defenses spl-at adversary
    recipe.* = @defenses spl recipe

    [defenses bootstrap]
    rule.alpha = 0.8                   # R Reed et al. 2014: .8, hard
    recipe.* = @defenses spl recipe

    [defenses bootstrap-at]
    rule.alpha = 0.8                   # R Reed et al. 2014: .8, hard
    variant = both                     # P0 algorithm 1: both
    adversary.* = @defenses spl-at adversary
    recipe.* = @defenses spl recipe

    [defenses noisy-at]
    adversary.* = @defenses spl-at adversary
    recipe.* = @defenses spl recipe

    [defenses prl-simclr]
    pretraining.* = @attacks clustered-trigger pretrain
    pretraining.epochs = 500           # P0 A.9.1: 500
    pretraining.period = null          # D: falls to 0 within the epochs
    labeled = 1.0                      # P0 5: 20% of CIFAR-10; D: all of the data at hand
    rule.* = @defenses spl rule
    limit.kind = truncate              # P0 algorithm 2: truncate
    limit.largest = 1.0                # D: 1
    recipe.* = @defenses spl recipe

    [defenses at]
    threat = linf                      # P1 3: L_inf first
    linf.* = @attacks sleeper-agent linf
    l2.* = @attacks sleeper-agent linf
    l2.radius = 1.003921568627451      # P1 3: 64/255 to 512/255
    l1.* = @attacks sleeper-agent linf
    l1.radius = 12.0                   # D
    spatial.bound = 0.025              # P1 3: .025 to .1; .025 in CAT (4)
    spatial.steps = 20                 # C
    spatial.learningRate = 0.01        # C
    spatial.smoothness = 0.0025        # C
    spatial.start = zero               # C
    spatial.loss = margin              # C
    perceptual.bound = 0.5             # P1 3: .1 to .5
    perceptual.steps = 10              # R Laidlaw et al. 2021
    perceptual.startDeviation = 0.01   # R Laidlaw et al. 2021, their code
    perceptual.projections = 0         # R Laidlaw et al. 2021
    perceptual.loss = margin           # R Laidlaw et al. 2021
    gaussianNoise.sigma = 0.1          # P1 table 1: .05 to .2
    randomSpatial.sigma = 0.1          # P1 table 1: .05 to .2
    randomSpatial.kind = uniform       # D
    composite.first = spatial          # P1 4: spatial and L_inf
    composite.second = linf            # P1 4: spatial and L_inf
    composite.order = first-then-second # D
    composite.joint = false            # D
    composite.jointLoss = margin       # D
    recipe.* = @recipes adversarial

    [defenses cat]
    composite.* = @defenses at composite
    linf.* = @attacks sleeper-agent linf
    linf.radius = 0.00784313725490196  # P1 3: 4/255 to 16/255; 2/255 in CAT (4)
    l2.* = @attacks sleeper-agent linf
    l2.radius = 0.25098039215686274    # P1 3: 64/255 to 512/255
    l1.* = @attacks sleeper-agent linf
    l1.radius = 4.0                    # D
    spatial.* = @defenses at spatial
    perceptual.* = @defenses at perceptual
    gaussianNoise.* = @defenses at gaussianNoise
    randomSpatial.* = @defenses at randomSpatial
    recipe.* = @recipes adversarial

    [defenses self-expansion]
    filter.rounds = 8                  # P3 B.1: 8 rounds, 3 times
    filter.bags = 3                    # P3 B.1: 8 rounds, 3 times
    filter.share = 0.12                # P3 B.1: 12%
    filter.classDivisor = 8.0          # P3 B.1: p/8 of each class
    filter.stopAt = 2000               # C
    filter.baseIterations = 2          # P3 B.1: 2 + min(3, 1/p)
    filter.extraIterations = 3         # P3 B.1: 2 + min(3, 1/p)
    filter.betaStart = 3.0             # P3 B.1: 3p at first, p after 2 more
    filter.betaIterations = 2          # P3 B.1: 3p at first, p after 2 more
    filter.alpha = 0.25                # P3 B.1: 1/4, .9
    filter.eta = 0.9                   # P3 B.1: 1/4, .9
    filter.pacing = paper              # P3 B.1; C: code
    filter.firstEpochs = null          # P3 B.1: 2 epochs
    filter.laterEpochs = null          # P3 B.1: 2 epochs
    filter.searchRate = 0.02           # P3 B.1: .02
    filter.learners = 1                # P3 B.1: 1
    filter.ballot = sample             # P3 B.1: on each sample
    filter.minimumVotes = 1            # P3 3.3: 1; C: 2
    filter.selfTraining = 1            # P3 B.1: once
    filter.review = returns            # P3 B.1: returns; C: running
    filter.reviewEpochs = null         # P3 B.1: 40, as the learners; C: 5
    filter.reviewEta = 0.8             # C: .8
    filter.learner.* = @recipes self-expansion
    filter.learner.epochs = 40         # P3 B.1: 40
    filter.learner.schedule = constant # C: constant
    filter.learner.milestones = []     # D
    filter.augmentedScores = false     # D: false; C: true
    filter.together = 4                # D: speed alone
    recipe.* = @recipes self-expansion

    [defenses ispl]
    * = @defenses self-expansion filter

    [defenses dbd]
    variant = full                     # P4 table 3: the whole method
    finetune.epochs = 190              # P4 B.3: 190; ImageNet 80
    finetune.iterations = 1024         # R Berthelot et al. 2019 (MixMatch)
    finetune.batch = 64                # P4 B.3: Adam .002, batch 64
    finetune.learningRate = 0.002      # P4 B.3: Adam .002, batch 64
    finetune.schedule = constant       # P4 B.3: none
    finetune.views = 2                 # R Berthelot et al. 2019 (MixMatch)
    finetune.temperature = 0.5         # P4 B.3: T .5, lambda_u 15 (ImageNet 6)
    finetune.mixing = 0.75             # R Berthelot et al. 2019 (MixMatch)
    finetune.unlabeledWeight = 15.0    # P4 B.3: T .5, lambda_u 15 (ImageNet 6)
    finetune.ramp = null               # C
    finetune.guess = batch             # C
    finetune.crop = 4                  # C
    resplit = true                     # P4 B.3: before each epoch
    supervised.* = @recipes decoupled
    pretrain.* = @attacks clustered-trigger pretrain
    tune.epochs = 10                   # P4 B.3: 10
    tune.warmup = 0                    # P4 B.3: none
    tune.batch = 128                   # P4 B.3: Adam .002, batch 128
    tune.learningRate = 0.002          # P4 B.3: Adam .002, batch 128
    tune.crop = 4                      # C
    tune.loss = sce                    # P4 B.3: SCE
    tune.sceAlpha = 0.1                # P4 B.3: .1 and 1
    tune.sceBeta = 1.0                 # P4 B.3: .1 and 1
    tune.gceQ = 0.7                    # R Zhang and Sabuncu 2018: .7
    tune.statistics = frozen           # D: frozen with the backbone; C: moving
    tune.scoring = plain               # D: the images as they are; C: augmented
    credible = 0.5                     # P4 B.3: 50%
    within = all                       # P4 4.3: over all
    flip = true                        # C
    embeddings = 100000                # P4 A, figure 1: all

    [defenses dbd-filter]
    pretrain.* = @attacks clustered-trigger pretrain
    tune.* = @defenses dbd tune
    credible = 0.5                     # P4 B.3: 50%
    within = all                       # P4 4.3: over all
    flip = true                        # C
    embeddings = 100000                # P4 A, figure 1: all

    [defenses spectral]
    rule = count                       # R Tran et al. 2018, algorithm 1, by P4 L; C, B: percentile
    eps = 0.01                         # C: 500 of 50,000
    factor = 1.5                       # R Tran et al. 2018, by P4 L: 1.5
    percentile = 85.0                  # C: config.json; B
    classLimit = 0.5                   # D
    centred = true                     # R Tran et al. 2018 (unread), algorithm 1; C, B: not

    [defenses activation-clustering]
    reduction = ica                    # R Chen et al. 2018 (unread), 4.1; B: pca
    components = 10                    # R Chen et al. 2018 (unread), 4.1; B
    rule = relative-size               # R Chen et al. 2018 (unread), 4.2; B: smaller
    relativeSize = 0.35                # R Adversarial Robustness Toolbox
    silhouette = 0.1                   # R Chen et al. 2018: .10 to .15
    starts = 10                        # D
    least = 10                         # D

    [defenses ibd-psc]
    factor = 1.5                       # R Hou et al. 2024: 1.5
    models = 5                         # R Hou et al. 2024: 5
    error = 0.6                        # R Hou et al. 2024: 60%
    rule = threshold                   # R Hou et al. 2024, algorithm 1
    threshold = 0.9                    # R Hou et al. 2024: .9
    level = 0.05                       # D

    [defenses random-filter]
    share = 0.15                       # D: as many as the 85th percentile

    [defenses oracle-filter]

    [defenses shrinkpad]
    share = 0.1                        # P4 B.3: 10%
    random = false                     # P4 B.3: bottom right; R Li et al. 2021 (unread): random

    [defenses shrinkpad-training]
    transform.* = @defenses shrinkpad
    recipe.* = @recipes adversarial

    [defenses dpsgd]
    clip = 1.0                         # P4 B.3: 1
    noise = 1.0                        # D; P1 4: .1; P4 B.3: by search
    delta = 1e-05                      # R Abadi et al. 2016
    groups = 16                        # D
    recipe.* = @recipes adversarial    # D

    [defenses abl]
    ascent = batch                     # C; R Li et al. 2021, equation 3: sample
    gamma = 0.5                        # C; B; P1 4: 0
    isolated = 0.01                    # C; B
    isolationEpochs = 20               # R Li et al. 2021 (unread), 4; B; C: 10
    tuningEpochs = 60                  # C; B
    unlearningEpochs = 20              # R Li et al. 2021 (unread), 4; B; C: 5
    batch = 64                         # R Li et al. 2021 (unread), 4; C: 128; B: 256
    learningRate = 0.1                 # C; B: .01
    tuningRate = 0.1                   # C; B: .01
    tuningMilestone = 40               # C; B
    unlearningRate = 0.0001            # B; C: 5e-4
    momentum = 0.9                     # C; B
    nesterov = true                    # C; B
    weightDecay = 0.0001               # C; B
    crop = 4                           # R Li et al. 2021 (unread), 4; C, B: none in the first stage
    flip = true                        # R Li et al. 2021 (unread), 4; C, B: none in the first stage

    [settings general]
    seed = 0                           # D
    device = auto                      # D
    precision = auto                   # D
    threads = auto                     # D

    [settings dataset]
    name = generated                   # D
    path = null                        # D
    size = null                        # D
    train = null                       # D
    test = null                        # D
    holdOut = null                     # D: .2, or 0 for what judges samples
    seed = 0                           # D
    maximumPixels = null               # D

    [settings model]
    name = preactresnet18              # P2 4.1, P3 B.1: PreAct-ResNet18
    width = null                       # D
    normalization = null               # D: what is usual for the data set
    channels = rgb                     # D
    size = null                        # D
    depth = null                       # R Zagoruyko and Komodakis 2016; Simonyan and Zisserman 2015; Dosovitskiy et al. 2021
    widen = null                       # R Zagoruyko and Komodakis 2016
    patch = null                       # R Dosovitskiy et al. 2021
    heads = null                       # R Dosovitskiy et al. 2021
    stem = null                        # D: by the image size

    [settings recipe]
    * = @recipes fast

    [settings clean]
    share = 0.05                       # B: 5%
    count = null                       # D
    balanced = false                   # B: drawn from the training set at random
    disjoint = false                   # B: drawn from the training set at random
    unlabeled = 0.0                    # D: none; P0 5: .8
    unlabeledFrom = null               # D: none; P0 table 2: CIFAR-100, STL-10
    unlabeledPath = null               # D
    unlabeledCount = null              # D

    [settings audit]
    images = 500                       # D
    batch = 32                         # D
    starts = 10                        # D
    marginSteps = 50                   # D
    marginStep = 0.05                  # D
    patchShare = 0.012                 # D
    patchSteps = 30                    # D
    epsilon = 8.0                      # D
    perturbationSteps = 40             # D
    perturbationStep = 0.2             # D

    [settings evaluation]
    every = 1                          # D
    retrain = true                     # D
    riskSamples = 256                  # D
    samples = 8                        # D
    mapPoisoned = 1.0                  # P4 A, figure 1: all (supervised), .3 (self-supervised)
    mapClean = 0.1                     # P4 A, figure 1: 10%
    mapPoints = 2500                   # D
    """

  /// The published width of each architecture, in channels of its first stage.
  static let widths = [
    "preactresnet18": 64,  // He et al. 2016, as the benchmarks have it
    "resnet18": 64,  // He et al. 2016
    "resnet34": 64,
    "resnet50": 64,
    "wideresnet": 16,  // Zagoruyko and Komodakis 2016
    "resnet32": 16,  // He et al. 2016, CIFAR: 16, 32, 64
    "vgg19": 64,  // Simonyan and Zisserman 2015
    "vgg19_bn": 64,
    "densenet121": 64,  // Huang et al. 2017: twice the growth rate of 32
    "vgg_cifar": 64,
    "densenet_cifar": 24,  // twice the growth rate of 12
    "mobilenet_v2": 32,  // Sandler et al. 2018
    "efficientnet_b0": 32,  // Tan and Le 2019
    "convnext_tiny": 96,  // Liu et al. 2022
    "vit_tiny": 192,  // timm
    "vit_small": 384,
    "vit_base": 768,  // Dosovitskiy et al. 2021
    "cnn": 32,  // ours
  ]
}
