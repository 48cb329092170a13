/** The kind of a condition key's value, which decides the operators that can compare it. */
export type KeyKind = 'text' | 'date' | 'flag' | 'address' | 'arn' | 'number';

type Keys = Readonly<Partial<Record<KeyKind, string>>>;

/**
 * The global keys (IAM User Guide, "AWS global condition context keys"). A tag's key follows a key that ends in `/`.
 */
export const GLOBAL_KEYS: Keys = {
  text: `CalledVia CalledViaFirst CalledViaLast Ec2InstanceSourceVpc FederatedProvider PrincipalAccount PrincipalOrgID
    PrincipalOrgPaths PrincipalServiceName PrincipalServiceNamesList PrincipalTag/ PrincipalType referer RequestedRegion
    RequestTag/ ResourceAccount ResourceOrgID ResourceOrgPaths ResourceTag/ SourceAccount SourceIdentity SourceOrgID
    SourceOrgPaths SourceVpc SourceVpce TagKeys UserAgent userid username VpceAccount VpceOrgID VpceOrgPaths`,
  date: 'CurrentTime TokenIssueTime',
  flag: 'AssumedRoot MultiFactorAuthPresent PrincipalIsAWSService SecureTransport ViaAWSService',
  address: 'Ec2InstanceSourcePrivateIPv4 SourceIp VpcSourceIp',
  arn: 'ChatbotSourceArn PrincipalArn SignInSessionArn SourceArn SourceVpcArn',
  number: 'EpochTime MultiFactorAuthAge',
};

/** The keys of widely used services (Service Authorization Reference, "Condition keys", read in September 2026). */
export const SERVICE_KEYS: Readonly<Record<string, Keys>> = {
  'application-autoscaling': {
    text: 'scalable-dimension service-namespace',
  },
  autoscaling: {
    text: `CapacityReservationIds CapacityReservationResourceGroupArns ImageId InstanceType InstanceTypes
      LaunchConfigurationName LoadBalancerNames MetadataHttpEndpoint MetadataHttpTokens OperatorPrincipal
      ResourceTag/ TargetCapacityTypes TrafficSourceIdentifiers VPCZoneIdentifiers`,
    flag: 'ForceDelete LaunchTemplateVersionSpecified',
    arn: 'TargetGroupARNs',
    number: 'MaxSize MetadataHttpPutResponseHopLimit MinSize SpotPrice',
  },
  batch: {
    text: `AWSLogsGroup AWSLogsRegion AWSLogsStreamPrefix EKSImage EKSNamespace EKSServiceAccountName Image LogDriver
      ShareIdentifier User`,
    flag: 'AWSLogsCreateGroup EKSPrivileged Privileged',
    number: 'EKSRunAsGroup EKSRunAsUser SchedulingPriority',
  },
  bedrock: {
    text: 'BearerTokenType DataRetentionMode InlineAgentName ServiceTier',
    arn: `GuardrailIdentifier InferenceProfileArn ModelArn ProjectArn PromptRouterArn
      ThirdPartyKnowledgeBaseCredentialsSecretArn`,
  },
  cloudformation: {
    text: 'ChangeSetName CreateAction ImportResourceTypes ResourceTypes StackPolicyUrl TargetRegion TemplateUrl',
    arn: 'RoleArn TypeArn',
  },
  cloudwatch: {
    text: 'AlarmActions HasAccessGrant namespace requestInsightRuleLogGroups',
    arn: 'requestManagedResourceARNs',
  },
  codecommit: {
    text: 'References',
  },
  dynamodb: {
    text: `Attributes EnclosingOperation FirstPartitionKeyValues FisActionId FourthPartitionKeyValues LeadingKeys
      ReturnConsumedCapacity ReturnValues SecondPartitionKeyValues Select ThirdPartitionKeyValues`,
    flag: 'FullTableScan',
    arn: 'FisTargetArns',
  },
  ec2: {
    text: `Add/group Add/userId AllocationId Attribute Attribute/ AuthenticationType AuthorizedService AuthorizedUser
      AutoPlacement AvailabilityZone AvailabilityZoneId BootModeOverride CpuOptionsAmdSevSnp CreateAction
      DhcpOptionsID Domain ElasticGpuType EndDateType FisActionId GatewayType HostRecovery IKEVersions ImageID
      ImageType InsideTunnelCidr InsideTunnelIpv6Cidr InstanceAutoRecovery InstanceBandwidthWeighting InstanceID
      InstanceMarketType InstanceMatchCriteria InstanceMetadataTags InstanceType InternetGatewayID
      InterruptibleCapacityReservationId InterruptionType IpamPrefixListResolverTargetId Ipv4IpamPoolId
      Ipv6IpamPoolId KeyPairName KeyPairType KmsKeyId Location ManagedResourceOperator MetadataHttpEndpoint
      MetadataHttpTokens NetworkAclID NetworkInterfaceID osuser Owner Permission Phase1DHGroup
      Phase1EncryptionAlgorithms Phase1IntegrityAlgorithms Phase2DHGroup Phase2EncryptionAlgorithms
      Phase2IntegrityAlgorithms PlacementGroupName PlacementGroupStrategy ProductCode PublicIpAddress Region
      Remove/group Remove/userId ReplayWindowSizePackets ReservedInstancesOfferingType ResourceTag/ RootDeviceType
      RouteTableID RoutingType SecurityGroupID SnapshotID SnapshotTime SourceAvailabilityZone SubnetID Tenancy
      transitGatewayAttachmentId transitGatewayConnectPeerId transitGatewayId transitGatewayMeteringPolicyId
      transitGatewayMulticastDomainId transitGatewayPolicyTableId transitGatewayRouteTableAnnouncementId
      transitGatewayRouteTableId VolumeID VolumeType VpceMultiRegion VpcePrivateDnsPreference
      VpcePrivateDnsSpecifiedDomains VpceServiceName VpceServiceOwner VpceServicePrivateDnsName VpceServiceRegion
      VpceSupportedRegion VpcID VpcPeeringConnectionID`,
    date: 'CreateDate EndDate',
    flag: `AssociatePublicIpAddress EbsOptimized Encrypted EphemeralStorage IsInterruptible IsLaunchTemplateResource
      Public`,
    arn: `AccepterVpc CapacityReservationFleet ClientRootCertificateChainArn CloudwatchLogGroupArn
      CloudwatchLogStreamArn DestinationCapacityReservationId DirectoryArn FisTargetArns InstancePlatform
      InstanceProfile LaunchTemplate NewInstanceProfile OutpostArn ParentSnapshot ParentVolume PlacementGroup
      RequesterVpc SamlProviderArn ServerCertificateArn SourceCapacityReservationId SourceInstanceARN
      SourceOutpostArn Subnet Vpc`,
    number: `CommitmentDuration DPDTimeoutSeconds InstanceCount MetadataHttpPutResponseHopLimit Phase1LifetimeSeconds
      Phase2LifetimeSeconds Quantity RekeyFuzzPercentage RekeyMarginTimeSeconds RoleDelivery SnapshotCoolOffPeriod
      SnapshotLockDuration TargetInstanceCount VolumeInitializationRate VolumeIops VolumeSize VolumeThroughput`,
  },
  ecr: {
    text: 'AccountSetting ResourceTag/',
  },
  ecs: {
    text: `account-setting compute-compatibility container-name CreateAction enable-ebs-volumes enable-execute-command
      enable-service-connect enable-vpc-lattice fargate-ephemeral-storage-kms-key privileged propagate-tags
      ResourceTag/ subnet`,
    flag: 'auto-assign-public-ip enable-ecs-managed-tags instance-metadata-tags-propagation',
    arn: `capacity-provider cluster container-instances daemon daemon-task-definition gateway namespace service task
      task-definition`,
    number: 'task-cpu task-memory',
  },
  eks: {
    text: `accessEntryType accessScope authenticationMode clientId clusterName controlPlaneEgressMode
      controlPlaneScalingTier issuerUrl kubernetesGroups kubernetesVersion namespaces supportType username`,
    flag: `blockStorageEnabled bootstrapClusterCreatorAdminPermissions bootstrapSelfManagedAddons computeConfigEnabled
      deletionProtection elasticLoadBalancingEnabled endpointPrivateAccess endpointPublicAccess
      kubeApiServerConfig kubeControllerManagerConfig kubeSchedulerConfig loggingType/ zonalShiftEnabled`,
    arn: 'encryptionConfigProviderKeyArns policyArn principalArn',
  },
  elasticache: {
    text: `CacheNodeType CacheParameterGroupName DataStorageUnit Durability EngineType EngineVersion KmsKeyId
      UserAuthenticationMode`,
    flag: `AtRestEncryptionEnabled AuthTokenEnabled AutomaticFailoverEnabled ClusterModeEnabled MultiAZEnabled
      TransitEncryptionEnabled`,
    number: `MaximumDataStorage MaximumECPUPerSecond MinimumDataStorage MinimumECPUPerSecond NumNodeGroups
      ReplicasPerNodeGroup SnapshotRetentionLimit`,
  },
  elasticfilesystem: {
    text: 'CreateAction',
    flag: 'AccessedViaMountTarget Encrypted',
    arn: 'AccessPointArn',
  },
  elasticloadbalancing: {
    text: 'CreateAction ListenerProtocol ResourceTag/ Scheme SecurityGroup SecurityPolicy Subnet',
  },
  events: {
    text: `creatorAccount detail-type detail.eventTypeCode detail.service detail.userIdentity.principalId
      eventBusInvocation ManagedBy Metadata/ PolicyName source SystemMetadata/AwsDetailType
      SystemMetadata/AwsSource SystemMetadata/ContentType`,
    flag: 'ContentFilterPresent',
    arn: 'EventBusArn TargetArn',
  },
  'execute-api': {
    arn: 'viaDomainArn',
  },
  glue: {
    text: `CredentialIssuingService FederatedAuthorizationSource LakeFormationPermissions RoleAssumedBy
      SecurityGroupIds SubnetIds VpcIds`,
    flag: 'EnabledForRedshiftAutoDiscovery',
  },
  iam: {
    text: `AccountPropertyNamespaces AWSServiceName DelegationDuration FIDO-certification FIDO-FIPS-140-2-certification
      FIDO-FIPS-140-3-certification NotificationChannel OrganizationsPolicyId PassedToService RegisterSecurityKey
      ResourceTag/ ServiceSpecificCredentialServiceName`,
    arn: 'AssociatedResourceArn DelegationRequestOwner PermissionsBoundary PolicyARN RoleTemplateARN TemplateArn',
    number: 'ServiceSpecificCredentialAgeDays',
  },
  kinesis: {
    text: 'FisActionId',
    arn: 'FisTargetArns',
    number: 'FisInjectPercentage',
  },
  kms: {
    text: `CallerAccount CustomerMasterKeySpec CustomerMasterKeyUsage DataKeyPairSpec EncryptionAlgorithm
      EncryptionContext: EncryptionContextKeys ExpirationModel GrantConstraintType GranteePrincipal
      GranteeServicePrincipal GrantOperations KeyAgreementAlgorithm KeyOrigin KeySpec KeyUsage MacAlgorithm
      MessageType MultiRegionKeyType PrimaryRegion ReplicaRegion RequestAlias ResourceAliases RetiringPrincipal
      RetiringServicePrincipal SigningAlgorithm ViaService WrappingAlgorithm WrappingKeySpec`,
    date: 'ValidTo',
    flag: 'BypassPolicyLockoutSafetyCheck GrantIsForAWSResource MultiRegion ReEncryptOnSameKey',
    arn: 'GrantConstraintSourceArn',
    number: 'RotationPeriodInDays ScheduleKeyDeletionPendingWindowInDays TrailingDaysWithoutKeyUsage',
  },
  lambda: {
    text: 'EventSourceToken FunctionUrlAuthType Layer Principal SecurityGroupIds SubnetIds VpcIds',
    flag: 'InvokedViaFunctionUrl',
    arn: 'CodeSigningConfigArn FunctionArn SourceFunctionArn',
  },
  logs: {
    text: 'data_source_name data_source_type',
    arn: 'DeliveryDestinationResourceArn LogGeneratingResourceArns',
  },
  rds: {
    text: `BackupTarget cluster-pg-tag/ cluster-snapshot-tag/ cluster-tag/ DatabaseClass DatabaseEngine DatabaseName
      db-tag/ EndpointType es-tag/ og-tag/ pg-tag/ req-tag/ ri-tag/ secgrp-tag/ snapshot-tag/ subgrp-tag/
      TenantDatabaseName`,
    flag: 'CopyOptionGroup ManageMasterUserPassword MultiAz PubliclyAccessible StorageEncrypted TagsFromRequest Vpc',
    number: 'Piops StorageSize',
  },
  redshift: {
    text: 'ConsumerIdentifier DbName DbUser DurationSeconds',
    flag: 'AllowWrites',
    arn: 'ConsumerArn InboundIntegrationArn IntegrationSourceArn IntegrationTargetArn',
  },
  route53: {
    text: `ChangeResourceRecordSetsActions ChangeResourceRecordSetsNormalizedRecordNames
      ChangeResourceRecordSetsRecordTypes VPCs`,
  },
  s3: {
    text: `AccessGrantScope AccessGrantsLocationScope AccessPointNetworkOrigin AccessPointTag/ annotation-prefix
      authType BucketTag/ DataAccessPointAccount delimiter destinationRegion ExistingJobOperation
      ExistingObjectTag/ if-match if-none-match InventoryAccessibleOptionalFields JobSuspendedCause
      locationconstraint logType object-lock-event-hold object-lock-legal-hold object-lock-mode prefix
      RequestJobOperation RequestObjectTag/ RequestObjectTagKeys ResourceAccount signatureversion versionid
      VersionId x-amz-acl x-amz-bucket-namespace x-amz-content-sha256 x-amz-copy-source x-amz-grant-full-control
      x-amz-grant-read x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp x-amz-metadata-directive
      x-amz-object-annotation-directive x-amz-object-if-match x-amz-object-ownership x-amz-server-side-encryption
      x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-customer-algorithm
      x-amz-storage-class x-amz-website-redirect-location`,
    date: 'object-lock-retain-until-date',
    flag: 'BucketKeyEnabled isReplicationPauseRequest ObjectCreationOperation',
    arn: `AccessGrantsInstanceArn DataAccessPointArn deliverySourceArn resourceArnBeingAuthorized
      x-amz-server-side-encryption-aws-kms-key-id`,
    number: `ExistingJobPriority max-annotation-results max-keys object-lock-event-hold-duration-days
      object-lock-remaining-retention-days RequestJobPriority signatureAge TlsVersion`,
  },
  s3express: {
    text: `AccessPointNetworkOrigin AccessPointTag/ AllAccessRestrictedToLocalZoneGroup authType BucketTag/
      DataAccessPointAccount InventoryAccessibleOptionalFields LocationName Permissions ResourceAccount
      SessionMode signatureversion x-amz-content-sha256 x-amz-server-side-encryption`,
    arn: 'DataAccessPointArn x-amz-server-side-encryption-aws-kms-key-id',
    number: 'signatureAge TlsVersion',
  },
  secretsmanager: {
    text: `AddReplicaRegions Description KmsKeyId Name resource/Type ResourceTag/ SecretPrimaryRegion Type VersionId
      VersionStage`,
    flag: `BlockPublicPolicy ForceDeleteWithoutRecovery ForceOverwriteReplicaSecret ModifyRotationRules
      RotateImmediately`,
    arn: 'ExternalSecretRotationRoleArn KmsKeyArn resource/AllowRotationLambdaArn RotationLambdaARN SecretId',
    number: 'RecoveryWindowInDays',
  },
  ses: {
    text: `ApiVersion ClickTrackingEnabled ConfigurationSetOptions ExportSourceType FeedbackAddress FromAddress
      FromDisplayName MailManagerIngressPointType MultiRegionEndpointId OpenTrackingEnabled Recipients
      ReplicaRegion TenantName`,
    arn: 'AddonSubscriptionArn MailManagerRuleSetArn MailManagerTrafficPolicyArn',
  },
  sns: {
    text: 'Endpoint Protocol',
    arn: 'Endpoint',
  },
  ssm: {
    text: `AccessRequestId DocumentCategories DocumentType DocumentVersion InventoryTypeName NodeAccountId NodeOrgId
      Overwrite Policies Recursive resourceTag/ SyncType`,
    flag: 'AutoApprove Recursive SessionDocumentAccessCheck',
    arn: 'SourceInstanceARN',
  },
  states: {
    text: 'HTTPEndpoint HTTPMethod StateMachineQualifier',
  },
  sts: {
    text: `AWSServiceName ExternalId IdentityTokenAudience RequestContext/ RoleSessionName SigningAlgorithm
      SourceIdentity TransitiveTagKeys`,
    flag: 'RoleAuthorizedByIdp',
    arn: 'RequestContextProviders TaskPolicyArn',
    number: 'DurationSeconds',
  },
  transfer: {
    text: `RequestConnectorProtocol RequestSecurityPolicyName RequestServerDomain RequestServerEndpointType
      RequestServerProtocols`,
  },
};
